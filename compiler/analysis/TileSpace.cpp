// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear forms of values: affine parts exactly, min and max by cases, everything else as a term between bounds.
#include "compiler/analysis/TileSpace.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;
using Pieces = llvm::SmallVector<Piece, 1>;

/// Cases of one value; beyond it the value is a term of its own.
static constexpr unsigned kMaxPieces = 4;

TileSpace::TileSpace(FuncOp predicate, Extent q, Extent k)
    : func(predicate), coordinates{predicate.getArgument(2), predicate.getArgument(3)}, extents{q, k} {}

static std::optional<int64_t> constantOf(Value value) {
  if (auto op = value.getDefiningOp<ConstantOp>())
    return cast<IntegerAttr>(op.getValue()).getValue().getSExtValue();
  return std::nullopt;
}

bool TileSpace::varies(Value value) {
  if (isa<BlockArgument>(value))
    return (value == q() && extents[0] != Extent::Point) || (value == k() && extents[1] != Extent::Point);
  if (auto it = variesMemo.find(value); it != variesMemo.end())
    return it->second;
  bool result = llvm::any_of(value.getDefiningOp()->getOperands(), [&](Value operand) { return varies(operand); });
  return variesMemo[value] = result;
}

// ---- terms ----

TermId TileSpace::intern(Term::Kind kind, Value value) {
  auto [it, isNew] = ids.try_emplace({value, kind}, unsigned(terms.size()));
  TermId id = it->second;
  if (!isNew)
    return id;
  Term term{kind, value, ranges.of(value), /*varies=*/false, {}};
  if (kind == Term::Begin || kind == Term::End)
    term.range = kind == Term::Begin ? IntegerRange{0, kMaxPosition - 1} : IntegerRange{1, kMaxPosition};
  term.varies = kind == Term::Opaque || (kind == Term::Coordinate && extent(value) != Extent::Point);
  terms.push_back(term);
  addRelations(id);
  return id;
}

void TileSpace::relate(TermId id, Constraint constraint) { terms[id].relations.push_back(std::move(constraint)); }

/// `larger - smaller + slack >= 0`, dropped where its coefficients leave 64 bits.
static std::optional<Constraint> atMost(const LinearForm &smaller, const LinearForm &larger, int64_t slack = 0) {
  auto difference = addScaled(larger, smaller, -1);
  if (difference)
    difference = addScaled(*difference, LinearForm::ofConstant(slack), 1);
  if (!difference)
    return std::nullopt;
  return Constraint{*difference, false};
}

void TileSpace::addRelations(TermId id) {
  Term::Kind kind = terms[id].kind;
  Value value = terms[id].value;
  LinearForm self = LinearForm::ofTerm(id);
  auto relateIf = [&](std::optional<Constraint> constraint) {
    if (constraint)
      relate(id, *constraint);
  };
  if (kind == Term::Coordinate && extent(value) == Extent::Tile) { // begin <= x <= end - 1
    relateIf(atMost(LinearForm::ofTerm(intern(Term::Begin, value)), self));
    relateIf(atMost(self, LinearForm::ofTerm(intern(Term::End, value)), -1));
  }
  if (kind == Term::End) // begin <= end - 1: a tile is never empty
    relateIf(atMost(LinearForm::ofTerm(intern(Term::Begin, value)), self, -1));
  if (kind == Term::Opaque) {
    relateIf(atMost(LinearForm::ofTerm(intern(Term::Lower, value)), self));
    relateIf(atMost(self, LinearForm::ofTerm(intern(Term::Upper, value))));
  }
  if (kind == Term::Upper)
    relateIf(atMost(LinearForm::ofTerm(intern(Term::Lower, value)), self));
  // x = e floordiv c: c * x <= e <= c * x + c - 1, and the same of its bounds, for floordiv does not descend.
  auto division = value.getDefiningOp<FloorDivOp>();
  auto divisor = division ? constantOf(division.getRhs()) : std::nullopt;
  if (!divisor || *divisor <= 0 || (kind != Term::Opaque && kind != Term::Lower && kind != Term::Upper))
    return;
  std::optional<LinearForm> dividend = linearizeWhole(division.getLhs());
  if (kind != Term::Opaque)
    dividend = extreme(*dividend, kind == Term::Upper);
  auto scaled = addScaled(LinearForm(), self, *divisor);
  if (!dividend || !scaled)
    return;
  relateIf(atMost(*scaled, *dividend));
  relateIf(atMost(*dividend, *scaled, *divisor - 1));
}

std::optional<LinearForm> TileSpace::extreme(const LinearForm &form, bool upper) {
  std::optional<LinearForm> result = LinearForm::ofConstant(form.constant);
  for (auto [id, coefficient] : form.terms) {
    bool up = upper == (coefficient > 0);
    Value value = terms[id].value;
    LinearForm bound = LinearForm::ofTerm(id);
    if (terms[id].kind == Term::Opaque) {
      bound = LinearForm::ofTerm(intern(up ? Term::Upper : Term::Lower, value));
    } else if (terms[id].varies && extent(value) == Extent::Free) {
      bound = LinearForm::ofConstant(up ? kMaxPosition - 1 : 0);
    } else if (terms[id].varies) {
      bound = LinearForm::ofTerm(intern(up ? Term::End : Term::Begin, value));
      bound.constant = up ? -1 : 0;
    }
    result = addScaled(*result, bound, coefficient);
    if (!result)
      return std::nullopt;
  }
  return result;
}

// ---- linear forms ----

LinearForm TileSpace::linearizeWhole(Value value) {
  Pieces pieces = linearize(value);
  return pieces.size() == 1 ? pieces.front().form : LinearForm::ofTerm(intern(Term::Opaque, value));
}

Pieces TileSpace::linearize(Value value) {
  if (auto it = linear.find(value); it != linear.end())
    return it->second;
  std::optional<Pieces> pieces;
  if (auto constant = constantOf(value); constant && *constant != INT64_MIN)
    pieces = Pieces{Piece{{}, LinearForm::ofConstant(*constant)}};
  else if (value == q() || value == k())
    pieces = Pieces{Piece{{}, LinearForm::ofTerm(coordinate(value))}};
  else if (Operation *op = value.getDefiningOp())
    pieces = casesOf(op);
  if (!pieces)
    pieces = Pieces{Piece{{}, LinearForm::ofTerm(intern(varies(value) ? Term::Opaque : Term::Invariant, value))}};
  return linear[value] = *pieces;
}

/// lhs + factor * rhs, case by case.
std::optional<Pieces> TileSpace::combine(Value lhs, Value rhs, int64_t factor) {
  Pieces left = linearize(lhs), right = linearize(rhs), result;
  if (left.size() * right.size() > kMaxPieces)
    return std::nullopt;
  for (const Piece &a : left)
    for (const Piece &b : right) {
      auto form = addScaled(a.form, b.form, factor);
      if (!form)
        return std::nullopt;
      Piece piece{a.guard, *form};
      piece.guard.append(b.guard);
      result.push_back(piece);
    }
  return result;
}

std::optional<Pieces> TileSpace::casesOf(Operation *op) {
  if (isa<AddOp>(op))
    return combine(op->getOperand(0), op->getOperand(1), 1);
  if (isa<SubOp>(op))
    return combine(op->getOperand(0), op->getOperand(1), -1);
  if (isa<MulOp>(op)) {
    for (unsigned i : {0, 1}) {
      Pieces factor = linearize(op->getOperand(i));
      if (factor.size() != 1 || !factor.front().form.isConstant())
        continue;
      Pieces scaled = linearize(op->getOperand(1 - i));
      for (Piece &piece : scaled) {
        auto form = addScaled(LinearForm(), piece.form, factor.front().form.constant);
        if (!form)
          return std::nullopt;
        piece.form = *form;
      }
      return scaled;
    }
    return std::nullopt;
  }
  // min(a, b) is a where a <= b, else b, where b <= a - 1; max the other way round. Invariant ones stay one symbol.
  if (isa<MinOp, MaxOp>(op) && varies(op->getResult(0))) {
    Pieces left = linearize(op->getOperand(0)), right = linearize(op->getOperand(1)), result;
    if (2 * left.size() * right.size() > kMaxPieces)
      return std::nullopt;
    for (const Piece &a : left)
      for (const Piece &b : right) {
        auto leftIsLess = atMost(a.form, b.form), rightIsLess = atMost(b.form, a.form, -1);
        if (!leftIsLess || !rightIsLess)
          return std::nullopt;
        Disjunct guard = a.guard;
        guard.append(b.guard);
        for (const auto &[condition, isLess] : {std::pair(*leftIsLess, true), std::pair(*rightIsLess, false)}) {
          Piece piece{guard, isLess == isa<MinOp>(op) ? a.form : b.form};
          piece.guard.push_back(condition);
          result.push_back(piece);
        }
      }
    return result;
  }
  return std::nullopt;
}
