// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Answers about tiles from the disjunctive form of the predicate, or, where that grows too large, from those of its
// parts.
#include "compiler/transforms/Derivation.h"
#include "compiler/analysis/IntegerWidth.h"
#include "compiler/analysis/SolveFor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;
using Range = Derivation::Range;

/// Operations of a predicate beyond which nothing is derived: its tiles are all partial.
static constexpr int kMaxOperations = 512;

SmallVector<FuncOp> maskjit::predicatesOf(ModuleOp module) {
  SmallVector<FuncOp> result;
  for (FuncOp func : module.getOps<FuncOp>())
    if (!func.getSymName().contains('.') && func.getNumArguments() == 4 &&
        std::distance(func.getBody().op_begin(), func.getBody().op_end()) <= kMaxOperations)
      result.push_back(func);
  return result;
}

Derivation::Derivation(FuncOp predicate, StringRef suffix, Extent q, Extent k) : copy(predicate.clone()) {
  Value free = k == Extent::Free || q != Extent::Free ? copy->getArgument(3) : copy->getArgument(2);
  solveFor(*copy, free);
  root = copy->getBody().front().getTerminator()->getOperand(0);
  space = std::make_unique<TileSpace>(*copy, q, k);
  forms = std::make_unique<DisjunctiveForms>(*space);
  if (space->extent(free) == Extent::Free)
    this->free = space->coordinate(free);

  std::string name = (predicate.getSymName() + "." + suffix).str();
  if (Operation *stale = SymbolTable::lookupNearestSymbolFrom(predicate, StringAttr::get(predicate.getContext(), name)))
    stale->erase();
  OpBuilder builder(predicate->getContext());
  Operation *last = predicate; // of the functions of this mask
  for (auto func : predicate->getParentOfType<ModuleOp>().getOps<FuncOp>())
    if (func.getMaskName() == predicate.getSymName())
      last = func;
  builder.setInsertionPointAfter(last);
  unsigned arguments = 2;
  for (Extent extent : {q, k})
    arguments += extent == Extent::Tile ? 2 : extent == Extent::Point ? 1 : 0;
  SmallVector<Type> types(arguments, builder.getIndexType());
  SmallVector<Type> results(2, this->free ? Type(builder.getIndexType()) : Type(builder.getI1Type()));
  derived = FuncOp::create(builder, predicate.getLoc(), name, builder.getFunctionType(types, results),
                           predicate.getParamsAttr(), /*arg_attrs=*/nullptr, /*res_attrs=*/nullptr);
  Block &body = derived.getBody().emplaceBlock();
  body.addArguments(types, SmallVector<Location>(arguments, predicate.getLoc()));
  unsigned next = 2;
  auto bind = [&](Extent extent) -> CoordinateArguments {
    if (extent == Extent::Point)
      return {body.getArgument(next++), {}, {}};
    if (extent == Extent::Free)
      return {};
    next += 2;
    return {{}, body.getArgument(next - 2), body.getArgument(next - 1)};
  };
  CoordinateArguments queries = bind(q), keys = bind(k);
  emit = std::make_unique<BoundEmitter>(*space, derived, queries, keys);
}

Derivation::~Derivation() = default;

// ---- parts of an expression ----

/// True if `value == truth` takes both operands; false if it takes either; nothing for other operations.
static std::optional<bool> needsBoth(Value value, bool truth) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<AndOp>(op))
    return truth;
  if (isa_and_nonnull<OrOp>(op))
    return !truth;
  return std::nullopt;
}

std::vector<Projection> Derivation::projections(const DisjunctiveForms::Form &form, std::optional<TermId> kept) {
  std::vector<Projection> result;
  for (const Disjunct &disjunct : form.disjuncts)
    if (Projection projection = project(*space, disjunct, kept); !projection.isEmpty)
      result.push_back(std::move(projection));
  return result;
}

Value Derivation::mayHold(Value value, bool truth) {
  if (const auto &form = forms->of(value, truth)) {
    Value result = emit->constant(false);
    for (const Projection &projection : projections(*form, std::nullopt))
      result = emit->create<OrOp>(emit->isInhabited(projection), result);
    return result;
  }
  if (auto negation = value.getDefiningOp<NotOp>())
    return mayHold(negation.getOperand(), !truth);
  std::optional<bool> both = needsBoth(value, truth);
  if (!both)
    return emit->constant(true);
  Value a = mayHold(value.getDefiningOp()->getOperand(0), truth);
  Value b = mayHold(value.getDefiningOp()->getOperand(1), truth);
  return *both ? emit->create<AndOp>(a, b) : emit->create<OrOp>(a, b);
}

// ---- ranges ----

Value Derivation::select(Value condition, Value a, Value b) { return emit->create<SelectOp>(condition, a, b); }

Range Derivation::intersect(Range a, Range b) {
  return {a.begin && b.begin ? emit->create<MaxOp>(a.begin, b.begin)
          : a.begin          ? a.begin
                             : b.begin,
          a.end && b.end ? emit->create<MinOp>(a.end, b.end)
          : a.end        ? a.end
                         : b.end};
}

/// The least range that contains both; an empty one does not widen it.
Range Derivation::unite(Range a, Range b) {
  for (Range *each : {&a, &b})
    if (each->begin && each->end) {
      Value inhabited = emit->create<CmpOp>(Predicate::lt, each->begin, each->end);
      each->begin = select(inhabited, each->begin, emit->constant(kMaxPosition));
      each->end = select(inhabited, each->end, emit->constant(int64_t(0)));
    }
  return {a.begin && b.begin ? emit->create<MinOp>(a.begin, b.begin) : Value(),
          a.end && b.end ? emit->create<MaxOp>(a.end, b.end) : Value()};
}

Range Derivation::larger(Range a, Range b) {
  auto size = [&](Range &range) {
    if (!range.begin)
      range.begin = emit->constant(int64_t(0));
    if (!range.end)
      range.end = emit->constant(kMaxPosition);
    return emit->create<SubOp>(range.end, range.begin);
  };
  Value sizeOfA = size(a), sizeOfB = size(b), first = emit->create<CmpOp>(Predicate::ge, sizeOfA, sizeOfB);
  return {select(first, a.begin, b.begin), select(first, a.end, b.end)};
}

Range Derivation::contain(Value value, bool truth) {
  if (const auto &form = forms->of(value, truth)) {
    if (form->disjuncts.size() > 1) {
      Range result = {emit->constant(kMaxPosition), emit->constant(int64_t(0))};
      for (const Disjunct &disjunct : form->disjuncts) {
        Projection ends = project(*space, disjunct, free), whole = project(*space, disjunct, std::nullopt);
        if (ends.isEmpty || whole.isEmpty)
          continue;
        Value inhabited = emit->isInhabited(whole), begin = emit->greatestLower(ends), end = emit->leastEnd(ends);
        if (!begin)
          begin = emit->constant(int64_t(0));
        if (!end)
          end = emit->constant(kMaxPosition);
        begin = select(inhabited, begin, emit->constant(kMaxPosition));
        end = select(inhabited, end, emit->constant(int64_t(0)));
        result = {emit->create<MinOp>(begin, result.begin), emit->create<MaxOp>(end, result.end)};
      }
      return result;
    }
    std::vector<Projection> only = projections(*form, free);
    if (only.empty())
      return {emit->constant(int64_t(0)), emit->constant(int64_t(0))};
    Range result = {emit->greatestLower(only[0]), emit->leastEnd(only[0])};
    if (!only[0].conditions.empty()) { // where they do not hold: empty
      Value end = result.end ? result.end : emit->constant(kMaxPosition);
      Value begin = result.begin ? result.begin : emit->constant(int64_t(0));
      result = {begin, select(emit->conditions(only[0]), end, begin)};
    }
    return result;
  }
  if (auto negation = value.getDefiningOp<NotOp>())
    return contain(negation.getOperand(), !truth);
  std::optional<bool> both = needsBoth(value, truth);
  if (!both)
    return {};
  Range a = contain(value.getDefiningOp()->getOperand(0), truth);
  Range b = contain(value.getDefiningOp()->getOperand(1), truth);
  return *both ? intersect(a, b) : unite(a, b);
}

/// One range without the holes: half-lines are cut off; of the two sides of a hole between bounds the larger stays.
Range Derivation::outside(ArrayRef<Projection> holes) {
  Range result;
  SmallVector<std::pair<Value, Range>> inner;
  for (const Projection &hole : holes) {
    Value begin = emit->greatestLower(hole), end = emit->leastEnd(hole), conditions = emit->conditions(hole);
    if (begin && end) {
      Value inhabited = emit->create<AndOp>(conditions, emit->create<CmpOp>(Predicate::lt, begin, end));
      inner.push_back({inhabited, {begin, end}});
    } else if (end) {
      Value from = select(conditions, end, emit->constant(int64_t(0)));
      result = intersect(result, {from, {}});
    } else if (begin) {
      result = intersect(result, {{}, select(conditions, begin, emit->constant(kMaxPosition))});
    } else { // everything
      Value zero = emit->constant(int64_t(0));
      if (matchPattern(conditions, m_One()))
        return {zero, zero};
      result = intersect(result, {{}, select(conditions, zero, emit->constant(kMaxPosition))});
    }
  }
  for (auto &[inhabited, hole] : inner) {
    Range cut = larger(intersect(result, {{}, hole.begin}), intersect(result, {hole.end, {}}));
    Value begin = result.begin ? result.begin : emit->constant(int64_t(0));
    Value end = result.end ? result.end : emit->constant(kMaxPosition);
    result = {select(inhabited, cut.begin, begin), select(inhabited, cut.end, end)};
  }
  return result;
}

Range Derivation::fill(Value value, bool truth) {
  if (const auto &holes = forms->of(value, !truth))
    return outside(projections(*holes, free));
  if (auto negation = value.getDefiningOp<NotOp>())
    return fill(negation.getOperand(), !truth);
  std::optional<bool> both = needsBoth(value, truth);
  if (!both)
    return {emit->constant(int64_t(0)), emit->constant(int64_t(0))};
  Range a = fill(value.getDefiningOp()->getOperand(0), truth), b = fill(value.getDefiningOp()->getOperand(1), truth);
  return *both ? intersect(a, b) : larger(a, b);
}

/// True if the form is exact and nothing but the free coordinate varies in it.
bool Derivation::isLinear(const DisjunctiveForms::Form &form) {
  return form.isExact && llvm::all_of(form.disjuncts, [&](const Disjunct &disjunct) {
           return llvm::all_of(disjunct, [&](const Constraint &constraint) {
             return llvm::all_of(constraint.form.terms,
                                 [&](auto &each) { return !space->term(each.first).varies || each.first == *free; });
           });
         });
}

std::optional<Range> Derivation::exact() {
  const auto &inside = forms->of(root, true);
  if (inside && inside->disjuncts.size() <= 1 && isLinear(*inside) &&
      llvm::all_of(projections(*inside, free), [](const Projection &each) { return each.isExact; }))
    return contain(root, true);
  // Several half-lines cut off leave an interval.
  const auto &holes = forms->of(root, false);
  if (!holes || !isLinear(*holes))
    return std::nullopt;
  std::vector<Projection> cuts = projections(*holes, free);
  if (llvm::any_of(cuts,
                   [](const Projection &cut) { return !cut.isExact || (!cut.lower.empty() && !cut.upper.empty()); }))
    return std::nullopt;
  return outside(cuts);
}

void Derivation::finish(Range range, bool isUseful) {
  // Positions are below kMaxPosition, so that these ends bound nothing.
  Value begin = range.begin ? range.begin : emit->constant(int64_t(0));
  Value end = range.end ? range.end : emit->constant(kMaxPosition);
  finish(mlir::ValueRange{begin, end}, isUseful);
}

void Derivation::finish(ValueRange results, bool isUseful) {
  OpBuilder builder = OpBuilder::atBlockEnd(&derived.getBody().front());
  ReturnOp::create(builder, derived.getLoc(), results);
  expandFirst(derived);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(derived.getBody().front())))
    if (isOpTriviallyDead(&op)) // constants of conditions that folded
      op.erase();
  if (isUseful && fittingWidth(derived))
    return;
  derived.erase();
  derived = nullptr;
}
