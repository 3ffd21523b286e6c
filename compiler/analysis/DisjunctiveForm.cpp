// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Negation is pushed to the comparisons; conjunctions multiply out, and what cannot hold is dropped at once.
#include "compiler/analysis/DisjunctiveForm.h"
#include "compiler/analysis/Elimination.h"
#include "compiler/analysis/Predicates.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;
using Form = DisjunctiveForms::Form;

const std::optional<Form> &DisjunctiveForms::of(Value value, bool truth) {
  std::unique_ptr<std::optional<Form>> &known = memo[{value, truth}];
  if (known)
    return *known;
  auto form = std::make_unique<std::optional<Form>>(compute(value, truth));
  return *(memo[{value, truth}] = std::move(form));
}

static Disjunct joined(const Disjunct &a, const Disjunct &b) {
  Disjunct result = a;
  for (const Constraint &constraint : b)
    if (!llvm::is_contained(result, constraint))
      result.push_back(constraint);
  return result;
}

/// True if every point of `a` lies in `b`, judged by their constraints alone.
static bool isCovered(const Disjunct &a, const Disjunct &b) {
  return llvm::all_of(b, [&](const Constraint &constraint) { return llvm::is_contained(a, constraint); });
}

static void insert(Form &form, Disjunct disjunct) {
  if (llvm::any_of(form.disjuncts, [&](const Disjunct &other) { return isCovered(disjunct, other); }))
    return;
  llvm::erase_if(form.disjuncts, [&](const Disjunct &other) { return isCovered(other, disjunct); });
  form.disjuncts.push_back(std::move(disjunct));
}

std::optional<Form> DisjunctiveForms::both(const std::optional<Form> &a, const std::optional<Form> &b) {
  if ((a && a->disjuncts.empty()) || (b && b->disjuncts.empty())) // false and anything
    return Form();
  if (!a || !b)
    return std::nullopt;
  size_t products = a->disjuncts.size() * b->disjuncts.size();
  if (products > 4 * kMaxDisjuncts || conjunctions + products > kMaxConjunctions)
    return std::nullopt;
  conjunctions += products;
  Form result;
  result.isExact = a->isExact && b->isExact;
  for (const Disjunct &left : a->disjuncts)
    for (const Disjunct &right : b->disjuncts) {
      Disjunct disjunct = joined(left, right);
      if (isFeasible(space, disjunct))
        insert(result, std::move(disjunct));
    }
  if (result.disjuncts.size() > kMaxDisjuncts)
    return std::nullopt;
  return result;
}

std::optional<Form> DisjunctiveForms::either(const std::optional<Form> &a, const std::optional<Form> &b) {
  if (!a || !b)
    return std::nullopt;
  Form result = *a;
  result.isExact &= b->isExact;
  for (const Disjunct &disjunct : b->disjuncts)
    insert(result, disjunct);
  if (result.disjuncts.size() > kMaxDisjuncts)
    return std::nullopt;
  return result;
}

static Form everything(bool isExact) {
  Form form;
  form.disjuncts.emplace_back();
  form.isExact = isExact;
  return form;
}

std::optional<Form> DisjunctiveForms::compute(Value value, bool truth) {
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast_or_null<ConstantOp>(op)) {
    bool holds = !cast<IntegerAttr>(constant.getValue()).getValue().isZero();
    return holds == truth ? everything(true) : Form();
  }
  if (auto cmp = dyn_cast_or_null<CmpOp>(op))
    return compareForms(cmp, truth);
  if (auto negation = dyn_cast_or_null<NotOp>(op))
    return of(negation.getOperand(), !truth);
  if (isa_and_nonnull<AndOp, OrOp>(op)) {
    const std::optional<Form> &lhs = of(op->getOperand(0), truth), &rhs = of(op->getOperand(1), truth);
    return isa<AndOp>(op) == truth ? both(lhs, rhs) : either(lhs, rhs);
  }
  if (auto select = dyn_cast_or_null<SelectOp>(op))
    return either(both(of(select.getCondition(), true), of(select.getIfTrue(), truth)),
                  both(of(select.getCondition(), false), of(select.getIfFalse(), truth)));
  return everything(false);
}

/// Constraints of `form (predicate) 0`, one list a disjunct.
static llvm::SmallVector<std::optional<Constraint>, 2> constraintsOf(Predicate predicate, const LinearForm &form) {
  auto scaled = [&](int64_t factor, int64_t constant) -> std::optional<Constraint> {
    auto result = addScaled(LinearForm::ofConstant(constant), form, factor);
    return result ? std::optional(Constraint{*result, false}) : std::nullopt;
  };
  switch (predicate) {
  case Predicate::eq:
    return {Constraint{form, true}};
  case Predicate::ne:
    return {scaled(1, -1), scaled(-1, -1)};
  case Predicate::lt:
    return {scaled(-1, -1)};
  case Predicate::le:
    return {scaled(-1, 0)};
  case Predicate::gt:
    return {scaled(1, -1)};
  case Predicate::ge:
    return {scaled(1, 0)};
  }
  llvm_unreachable("all predicates are listed");
}

std::optional<Form> DisjunctiveForms::compareForms(CmpOp op, bool truth) {
  Predicate predicate = truth ? op.getPredicate() : opposite(op.getPredicate());
  Form result;
  for (const Piece &left : space.linearize(op.getLhs()))
    for (const Piece &right : space.linearize(op.getRhs())) {
      Disjunct guard = joined(left.guard, right.guard);
      auto difference = addScaled(left.form, right.form, -1);
      if (!difference)
        return everything(false);
      for (const std::optional<Constraint> &constraint : constraintsOf(predicate, *difference)) {
        if (!constraint)
          return everything(false);
        Disjunct disjunct = joined(guard, {*constraint});
        if (isFeasible(space, disjunct))
          insert(result, std::move(disjunct));
      }
    }
  if (result.disjuncts.size() > kMaxDisjuncts)
    return std::nullopt;
  return result;
}
