// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions in C++ to the syntax tree of the language.
#include "compiler/frontend/MaskBuilder.h"
#include "compiler/frontend/MaskEmitter.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/frontend/Parser.h"
#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace maskjit {
using namespace frontend;

/// The tree in the making; its one mask is masks[0]. The first mistake is kept for build().
struct MaskExpr::Tree {
  SyntaxTree syntax;
  bool hasBody = false;
  std::string mistake;

  MaskDecl &mask() { return syntax.masks.front(); }
  void wrong(std::string message) {
    if (mistake.empty())
      mistake = std::move(message);
  }
  uint32_t add(Expr expr) {
    for (const Operand &operand : expr.operands)
      expr.depth = std::max(expr.depth, 1 + syntax.exprs[operand.expr].depth);
    syntax.exprs.push_back(std::move(expr));
    return static_cast<uint32_t>(syntax.exprs.size() - 1);
  }
};

// ---- expressions ----

/// This expression's place in `tree`: a number gets one.
uint32_t MaskExpr::in(Tree &where) const {
  if (tree.get() == &where)
    return id;
  if (tree)
    where.wrong(
        fmt::format("an expression of mask '{}' occurs in it", tree->syntax.masks.empty() ? "" : tree->mask().name));
  Expr expr(isReal ? ExprKind::Real : ExprKind::Integer, {});
  expr.value = integer;
  expr.real = real;
  return where.add(std::move(expr));
}

MaskExpr MaskExpr::make(ExprKind kind, std::string_view name, const std::vector<MaskExpr> &operands, Operator op) {
  std::shared_ptr<Tree> tree;
  for (const MaskExpr &operand : operands)
    if (!tree)
      tree = operand.tree;
  if (!tree) { // numbers only: a tree of their own, which no mask takes
    tree = std::make_shared<Tree>();
    tree->syntax.masks.emplace_back();
  }
  Expr expr(kind, {});
  expr.name = name;
  for (const MaskExpr &operand : operands) {
    Operand each;
    each.expr = operand.in(*tree);
    each.op = expr.operands.empty() ? Operator::None : op;
    expr.operands.push_back(std::move(each));
  }
  const uint32_t id = tree->add(std::move(expr));
  return {std::move(tree), id};
}

MaskExpr MaskExpr::join(ExprKind kind, Operator op, const MaskExpr &a, const MaskExpr &b) {
  return make(kind, "", {a, b}, op);
}
MaskExpr MaskExpr::call(std::string_view function, std::vector<MaskExpr> arguments) {
  return make(ExprKind::Call, function, arguments, Operator::None);
}

MaskExpr operator+(const MaskExpr &a, const MaskExpr &b) { return MaskExpr::join(ExprKind::Sum, Operator::Add, a, b); }
MaskExpr operator-(const MaskExpr &a, const MaskExpr &b) { return MaskExpr::join(ExprKind::Sum, Operator::Sub, a, b); }
MaskExpr operator*(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Product, Operator::Mul, a, b);
}
MaskExpr operator/(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Product, Operator::Div, a, b);
}
MaskExpr operator%(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Product, Operator::Rem, a, b);
}
MaskExpr operator-(const MaskExpr &a) { return MaskExpr::make(ExprKind::Negate, "", {a}, Operator::None); }
MaskExpr operator<(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Lt, a, b);
}
MaskExpr operator<=(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Le, a, b);
}
MaskExpr operator>(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Gt, a, b);
}
MaskExpr operator>=(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Ge, a, b);
}
MaskExpr operator==(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Eq, a, b);
}
MaskExpr operator!=(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::Comparison, Operator::Ne, a, b);
}
MaskExpr operator&&(const MaskExpr &a, const MaskExpr &b) {
  return MaskExpr::join(ExprKind::And, Operator::None, a, b);
}
MaskExpr operator||(const MaskExpr &a, const MaskExpr &b) { return MaskExpr::join(ExprKind::Or, Operator::None, a, b); }
MaskExpr operator!(const MaskExpr &a) { return MaskExpr::make(ExprKind::Not, "", {a}, Operator::None); }
MaskExpr min(const MaskExpr &a, const MaskExpr &b) { return MaskExpr::call("min", {a, b}); }
MaskExpr max(const MaskExpr &a, const MaskExpr &b) { return MaskExpr::call("max", {a, b}); }
MaskExpr abs(const MaskExpr &a) { return MaskExpr::call("abs", {a}); }
MaskExpr tanh(const MaskExpr &a) { return MaskExpr::call("tanh", {a}); }
MaskExpr exp(const MaskExpr &a) { return MaskExpr::call("exp", {a}); }
MaskExpr log(const MaskExpr &a) { return MaskExpr::call("log", {a}); }
MaskExpr sqrt(const MaskExpr &a) { return MaskExpr::call("sqrt", {a}); }
MaskExpr pow(const MaskExpr &base, double exponent) { return MaskExpr::call("pow", {base, exponent}); }

MaskExpr MaskArray::operator[](const MaskExpr &position) const {
  Expr expr(ExprKind::Index, {});
  expr.name = name;
  Operand operand;
  operand.expr = position.in(*tree);
  expr.operands.push_back(std::move(operand));
  return {tree, tree->add(std::move(expr))};
}

// ---- declarations ----

static bool isIdentifier(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) && !isReserved(name) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

MaskBuilder::MaskBuilder(std::string name) : tree(std::make_shared<MaskExpr::Tree>()) {
  tree->syntax.source.name = fmt::format("mask '{}'", printable(name));
  tree->syntax.source.built = true;
  tree->syntax.source.indexLines();
  tree->syntax.masks.emplace_back();
  if (!isIdentifier(name))
    tree->wrong("expected a name of letters, digits and '_' that is no word of the language");
  tree->mask().name = std::move(name);
}

MaskExpr MaskBuilder::coordinate(char name) {
  std::vector<Coordinate> &all = tree->mask().coordinates;
  if (std::none_of(all.begin(), all.end(), [&](const Coordinate &each) { return each.name == name; }))
    all.push_back({name, {}});
  Expr expr(ExprKind::Name, {});
  expr.name = name;
  return {tree, tree->add(std::move(expr))};
}
MaskExpr MaskBuilder::b() { return coordinate('b'); }
MaskExpr MaskBuilder::h() { return coordinate('h'); }
MaskExpr MaskBuilder::q() { return coordinate('q'); }
MaskExpr MaskBuilder::k() { return coordinate('k'); }

void MaskBuilder::declare(ParamInfo info) {
  std::vector<ParamDecl> &params = tree->mask().params;
  if (!isIdentifier(info.name) ||
      (info.name.size() == 1 && std::string_view("bhqk").find(info.name) != std::string_view::npos))
    tree->wrong(fmt::format("parameter '{}': expected a name of letters, digits and '_' that means nothing else",
                            printable(info.name)));
  for (const ParamDecl &other : params)
    if (other.info.name == info.name)
      tree->wrong(fmt::format("parameter '{}' is declared twice", info.name));
  if (params.size() == kMaxParams)
    tree->wrong(fmt::format("more than {} parameters", kMaxParams));
  if (info.min > info.max)
    tree->wrong(fmt::format("the range of '{}' is empty: {} is above {}", info.name, info.min, info.max));
  if (info.min < std::numeric_limits<int32_t>::min() || info.max > std::numeric_limits<int32_t>::max())
    tree->wrong(fmt::format("the range of '{}', {}..{}, does not fit in 32 bits", info.name, info.min, info.max));
  if (!info.isFloat && info.defaultValue && (*info.defaultValue < info.min || *info.defaultValue > info.max))
    tree->wrong(fmt::format("the default of '{}', {}, is outside its range {}..{}", info.name, *info.defaultValue,
                            info.min, info.max));
  params.push_back({std::move(info), {}});
}

static std::optional<double> widen(std::optional<int64_t> value) {
  return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

/// The value of a declared scalar.
static Expr named(std::string name) {
  Expr expr(ExprKind::Name, {});
  expr.name = std::move(name);
  return expr;
}

MaskExpr MaskBuilder::scalar(std::string name, int64_t min, int64_t max, std::optional<int64_t> defaultValue) {
  declare({name, Axis::None, min, max, false, false, false, widen(defaultValue)});
  return {tree, tree->add(named(std::move(name)))};
}
MaskExpr MaskBuilder::staticScalar(std::string name, int64_t min, int64_t max, std::optional<int64_t> defaultValue) {
  declare({name, Axis::None, min, max, true, false, false, widen(defaultValue)});
  return {tree, tree->add(named(std::move(name)))};
}
MaskExpr MaskBuilder::real(std::string name, std::optional<double> defaultValue) {
  declare({name, Axis::None, 0, 0, false, false, true, defaultValue});
  return {tree, tree->add(named(std::move(name)))};
}
MaskArray MaskBuilder::array(std::string name, Axis axis, int64_t min, int64_t max,
                             std::optional<int64_t> defaultValue) {
  if (axis == Axis::None)
    tree->wrong(fmt::format("array '{}' needs an axis: batch, head, query or key", name));
  declare({name, axis, min, max, false, false, false, widen(defaultValue)});
  return {tree, std::move(name)};
}
MaskArray MaskBuilder::sortedArray(std::string name, Axis axis, int64_t min, int64_t max,
                                   std::optional<int64_t> defaultValue) {
  MaskArray made = array(std::move(name), axis, min, max, defaultValue);
  tree->mask().params.back().info.isSorted = true;
  return made;
}

// ---- composing ----

MaskExpr MaskBuilder::call(const Mask &mask, std::vector<MaskExpr> coordinates,
                           const std::map<std::string, MaskExpr> &params) {
  const Mask::Impl &callee = mask.get();
  Expr expr(ExprKind::Call, {});
  expr.name = callee.name;
  if (!callee.tree) {
    tree->wrong(fmt::format("mask '{}' was made from IR; masks of text or of a builder can be called", callee.name));
  } else {
    std::vector<Import> &imports = tree->syntax.imports;
    if (std::none_of(imports.begin(), imports.end(), [&](const Import &each) { return each.tree == callee.tree; }))
      imports.push_back({callee.name, {}, callee.tree});
    if (lookUpMask(tree->syntax, callee.name).mask != callee.decl)
      tree->wrong(fmt::format("two masks named '{}' occur in it", callee.name));
  }
  for (const MaskExpr &coordinate : coordinates) {
    Operand operand;
    operand.expr = coordinate.in(*tree);
    expr.operands.push_back(std::move(operand));
  }
  std::map<std::string, MaskExpr> all = params;
  for (const auto &[name, value] : callee.fixed)
    all.emplace(name, value);
  for (const auto &[name, value] : all) {
    Operand operand;
    operand.expr = value.in(*tree);
    operand.name = name;
    operand.isParam = true;
    expr.operands.push_back(std::move(operand));
  }
  return {tree, tree->add(std::move(expr))};
}

void MaskBuilder::attend(const MaskExpr &predicate) {
  tree->mask().body = predicate.in(*tree);
  tree->hasBody = true;
}

void MaskBuilder::score(const std::function<MaskExpr(MaskExpr)> &clause) {
  // A name that text cannot spell, so that it collides with none.
  ScoreClause score;
  score.variable = "score's value";
  const MaskExpr s(tree, tree->add(named(score.variable)));
  score.body = clause(s).in(*tree);
  tree->mask().score = std::move(score);
}

Result<Mask> MaskBuilder::build() const {
  std::string mistake = tree->mistake;
  if (mistake.empty() && !tree->hasBody)
    mistake = "nothing says what it attends; call attend(...)";
  if (!mistake.empty())
    return Error{fmt::format("{}: error: {}", tree->syntax.source.name, mistake)};
  // A copy: the builder may go on. SyntaxTree holds no pointer into itself.
  return Mask::Impl::fromTree(std::make_shared<const SyntaxTree>(tree->syntax), {});
}

} // namespace maskjit
