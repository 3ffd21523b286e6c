// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gauss and Fourier-Motzkin elimination in an order that stays exact over the integers where it can, and removal of
// what the ranges of symbols imply.
#include "compiler/analysis/Elimination.h"
#include "mlir/Analysis/Presburger/IntegerRelation.h"
#include "mlir/Analysis/Presburger/Simplex.h"

using namespace mlir;
using namespace mlir::presburger;
using namespace maskjit;
using llvm::DynamicAPInt;

/// Elimination stops where a system grows past it; what was derived so far does not hold then.
static constexpr unsigned kMaxRows = 64;
/// Of what is handed on: bounds can then be negated, rounded and moved by one within 64 bits.
static constexpr int64_t kLargestCoefficient = int64_t(1) << 61;

namespace {

/// Constraints as rows of a polyhedron whose columns are terms; dimensions first.
class System {
public:
  System(TileSpace &space, const Disjunct &disjunct, std::optional<TermId> kept);

  bool isFeasible() const { return !Simplex(withContext()).isEmpty(); }
  /// Eliminates dimensions other than `kept`; false if the system grew too large.
  bool eliminate();
  void removeRedundant();
  Projection read();

private:
  void collect(TermId term);
  llvm::SmallVector<int64_t> row(const LinearForm &form) const;
  void add(IntegerPolyhedron &to, const Constraint &constraint) const;
  IntegerPolyhedron withContext() const;
  void dropColumn(unsigned column);
  unsigned cost(unsigned column) const;
  std::optional<Constraint> constraintAt(unsigned index, bool isEquality) const;

  TileSpace &space;
  std::optional<TermId> kept;
  llvm::SmallVector<TermId> columns; // dimensions, then symbols
  unsigned dimensions = 0;
  llvm::SmallVector<Constraint> context;   // over symbols and `kept`, always true
  llvm::SmallVector<Constraint> relations; // of dimensions to symbols
  IntegerPolyhedron rows{PresburgerSpace::getSetSpace(0, 0)};
  bool isExact = true;
};

} // namespace

System::System(TileSpace &space, const Disjunct &disjunct, std::optional<TermId> kept) : space(space), kept(kept) {
  for (const Constraint &constraint : disjunct)
    for (auto [term, coefficient] : constraint.form.terms)
      collect(term);
  if (kept)
    collect(*kept);
  auto isDimension = [&](TermId term) { return space.term(term).varies; };
  std::stable_partition(columns.begin(), columns.end(), isDimension);
  dimensions = llvm::count_if(columns, isDimension);
  rows = IntegerPolyhedron(PresburgerSpace::getSetSpace(dimensions, columns.size() - dimensions));
  for (const Constraint &constraint : disjunct)
    add(rows, constraint);
  for (const Constraint &constraint : relations)
    add(rows, constraint);
}

/// Adds a term, with what is known of it, and the terms that its relations mention.
void System::collect(TermId term) {
  if (llvm::is_contained(columns, term))
    return;
  columns.push_back(term);
  Term info = space.term(term);
  if (!info.varies || term == kept) {
    for (auto [bound, sign] : {std::pair(info.range.min, 1), std::pair(info.range.max, -1)})
      if (bound > INT64_MIN / 2 && bound < INT64_MAX / 2) {
        LinearForm form = LinearForm::ofTerm(term, sign);
        form.constant = -sign * int64_t(bound);
        context.push_back({form, false});
      }
  }
  for (const Constraint &relation : info.relations) {
    (info.varies ? relations : context).push_back(relation);
    for (auto [other, coefficient] : relation.form.terms)
      collect(other);
  }
}

llvm::SmallVector<int64_t> System::row(const LinearForm &form) const {
  llvm::SmallVector<int64_t> result(columns.size() + 1, 0);
  for (unsigned i = 0; i < columns.size(); ++i)
    result[i] = form.coefficient(columns[i]);
  result.back() = form.constant;
  return result;
}

void System::add(IntegerPolyhedron &to, const Constraint &constraint) const {
  if (constraint.isEquality)
    to.addEquality(row(constraint.form));
  else
    to.addInequality(row(constraint.form));
}

/// The context's inequalities first, then the rows.
IntegerPolyhedron System::withContext() const {
  IntegerPolyhedron all(rows.getSpace());
  for (const Constraint &constraint : context)
    add(all, constraint);
  for (unsigned i = 0; i < rows.getNumInequalities(); ++i)
    all.addInequality(rows.getInequality(i));
  for (unsigned i = 0; i < rows.getNumEqualities(); ++i)
    all.addEquality(rows.getEquality(i));
  return all;
}

/// 0: in an equality with coefficient 1 or -1; 1: every pair of bounds has a coefficient 1 or -1; 2: neither, so that
/// eliminating it over the rationals may add solutions.
unsigned System::cost(unsigned column) const {
  for (unsigned i = 0; i < rows.getNumEqualities(); ++i)
    if (DynamicAPInt c = rows.atEq(i, column); c == 1 || c == -1)
      return 0;
  for (unsigned i = 0; i < rows.getNumEqualities(); ++i)
    if (rows.atEq(i, column) != 0)
      return 2;
  bool lowerAreUnits = true, upperAreUnits = true;
  for (unsigned i = 0; i < rows.getNumInequalities(); ++i) {
    DynamicAPInt c = rows.atIneq(i, column);
    lowerAreUnits &= c <= 1;
    upperAreUnits &= c >= -1;
  }
  return lowerAreUnits || upperAreUnits ? 1 : 2;
}

void System::dropColumn(unsigned column) {
  rows.projectOut(column, 1);
  columns.erase(columns.begin() + column);
  --dimensions;
}

bool System::eliminate() {
  while (true) {
    std::optional<unsigned> best;
    unsigned bestCost = 0, left = 0;
    for (unsigned i = 0; i < dimensions; ++i) {
      if (columns[i] == kept)
        continue;
      ++left;
      if (unsigned c = cost(i); !best || c < bestCost) {
        best = i;
        bestCost = c;
      }
    }
    if (!best)
      return true;
    if (bestCost == 2) {
      if (left == 1 && !kept) { // the last unknown: its bounds say exactly when it exists
        kept = columns[*best];
        return true;
      }
      isExact = false;
    }
    dropColumn(*best);
    if (rows.getNumInequalities() > kMaxRows / 2)
      removeRedundant();
    if (rows.getNumInequalities() > kMaxRows)
      return false;
  }
}

void System::removeRedundant() {
  // Context about eliminated dimensions cannot occur: it speaks of symbols and of `kept`.
  IntegerPolyhedron all = withContext();
  Simplex simplex(all);
  if (simplex.isEmpty())
    return;
  unsigned first = context.size();
  simplex.detectRedundant(first, rows.getNumInequalities());
  for (unsigned i = rows.getNumInequalities(); i-- > 0;)
    if (simplex.isMarkedRedundant(first + i))
      rows.removeInequality(i);
}

/// A row as a constraint; nothing if its numbers are too large (leaving a constraint out only adds solutions).
std::optional<Constraint> System::constraintAt(unsigned index, bool isEquality) const {
  Constraint constraint;
  constraint.isEquality = isEquality;
  for (unsigned column = 0; column <= columns.size(); ++column) {
    DynamicAPInt value = isEquality ? rows.atEq(index, column) : rows.atIneq(index, column);
    if (value < -kLargestCoefficient || value > kLargestCoefficient)
      return std::nullopt;
    if (column == columns.size())
      constraint.form.constant = int64_t(value);
    else if (value != 0)
      constraint.form.terms.push_back({columns[column], int64_t(value)});
  }
  llvm::sort(constraint.form.terms);
  return constraint;
}

Projection System::read() {
  Projection result;
  result.isExact = isExact;
  auto place = [&](const LinearForm &form, bool isEquality) {
    int64_t coefficient = kept ? form.coefficient(*kept) : 0;
    if (coefficient == 0) {
      result.conditions.push_back({form, isEquality});
      return;
    }
    // coefficient * x + rest >= 0
    LinearForm rest = form;
    llvm::erase_if(rest.terms, [&](auto &each) { return each.first == *kept; });
    auto sided = addScaled(LinearForm(), rest, coefficient > 0 ? -1 : 1);
    (coefficient > 0 ? result.lower : result.upper).push_back({*sided, std::abs(coefficient)});
  };
  for (bool isEquality : {true, false}) {
    unsigned count = isEquality ? rows.getNumEqualities() : rows.getNumInequalities();
    for (unsigned i = 0; i < count; ++i) {
      std::optional<Constraint> constraint = constraintAt(i, isEquality);
      if (!constraint) {
        result.isExact = false;
        continue;
      }
      place(constraint->form, isEquality);
      if (isEquality && kept && constraint->form.coefficient(*kept) != 0) // both ways
        place(*addScaled(LinearForm(), constraint->form, -1), true);
    }
  }
  return result;
}

Projection maskjit::project(TileSpace &space, const Disjunct &disjunct, std::optional<TermId> kept) {
  System system(space, disjunct, kept);
  Projection result;
  if (!system.isFeasible()) {
    result.isEmpty = true;
    return result;
  }
  if (!system.eliminate()) {
    result.isExact = false; // no condition, no bound: everything
    return result;
  }
  system.removeRedundant();
  return system.read();
}

bool maskjit::isFeasible(TileSpace &space, const Disjunct &disjunct) {
  return System(space, disjunct, std::nullopt).isFeasible();
}
