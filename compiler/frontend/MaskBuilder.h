// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks written in C++: the same tree that the parser makes of text, so the same digest.
//
//   maskjit::MaskBuilder m("window");
//   auto q = m.q(), k = m.k(), w = m.scalar("window", 1, 4096, 128);
//   m.attend(0 <= q - k && q - k < w);
//   maskjit::Result<maskjit::Mask> mask = m.build();
#pragma once
#include "compiler/Compiler.h"
#include <functional>

namespace maskjit {
namespace frontend {
struct SyntaxTree;
enum class ExprKind;
enum class Operator;
} // namespace frontend

/// An expression of one MaskBuilder, or a number. Cheap to copy; may be used many times, it is computed once.
class MaskExpr {
public:
  MaskExpr(int value) : MaskExpr(static_cast<int64_t>(value)) {}
  MaskExpr(int64_t value) : integer(value) {}
  MaskExpr(double value) : isReal(true), real(value) {} // of a score

  friend MaskExpr operator+(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator-(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator*(const MaskExpr &a, const MaskExpr &b);
  /// Floor division and its remainder; in a score `/` is the quotient of fp32.
  friend MaskExpr operator/(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator%(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator-(const MaskExpr &a);
  friend MaskExpr operator<(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator<=(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator>(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator>=(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator==(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator!=(const MaskExpr &a, const MaskExpr &b);
  /// Both sides are always part of the mask: nothing is evaluated here, so nothing is cut short.
  friend MaskExpr operator&&(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator||(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr operator!(const MaskExpr &a);
  friend MaskExpr min(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr max(const MaskExpr &a, const MaskExpr &b);
  friend MaskExpr abs(const MaskExpr &a);
  friend MaskExpr tanh(const MaskExpr &a);
  friend MaskExpr exp(const MaskExpr &a);
  friend MaskExpr log(const MaskExpr &a);
  friend MaskExpr sqrt(const MaskExpr &a);
  friend MaskExpr pow(const MaskExpr &base, double exponent);

private:
  friend class MaskBuilder;
  friend class MaskArray;
  struct Tree;
  MaskExpr(std::shared_ptr<Tree> tree, uint32_t id) : tree(std::move(tree)), id(id) {}
  static MaskExpr join(frontend::ExprKind kind, frontend::Operator op, const MaskExpr &a, const MaskExpr &b);
  static MaskExpr call(std::string_view function, std::vector<MaskExpr> arguments);
  static MaskExpr make(frontend::ExprKind kind, std::string_view name, const std::vector<MaskExpr> &operands,
                       frontend::Operator op);
  uint32_t in(Tree &tree) const;

  std::shared_ptr<Tree> tree; // null: a number
  uint32_t id = 0;
  bool isReal = false;
  int64_t integer = 0;
  double real = 0;
};

/// An array parameter; documents[k] reads the element at min(max(k, 0), size - 1).
class MaskArray {
public:
  MaskExpr operator[](const MaskExpr &position) const;

private:
  friend class MaskBuilder;
  MaskArray(std::shared_ptr<MaskExpr::Tree> tree, std::string name) : tree(std::move(tree)), name(std::move(name)) {}
  std::shared_ptr<MaskExpr::Tree> tree;
  std::string name;
};

class MaskBuilder {
public:
  explicit MaskBuilder(std::string name);

  /// The coordinates: batch, query head, row of the call, position of the key.
  MaskExpr b(), h(), q(), k();

  /// Parameters, in the order in which callers pass values; the bounds are inclusive.
  MaskExpr scalar(std::string name, int64_t min, int64_t max, std::optional<int64_t> defaultValue = {});
  MaskExpr staticScalar(std::string name, int64_t min, int64_t max, std::optional<int64_t> defaultValue = {});
  MaskExpr real(std::string name, std::optional<double> defaultValue = {}); // of a score
  MaskArray array(std::string name, Axis axis, int64_t min, int64_t max, std::optional<int64_t> defaultValue = {});
  MaskArray sortedArray(std::string name, Axis axis, int64_t min, int64_t max,
                        std::optional<int64_t> defaultValue = {});

  /// The predicate of another mask, with values for its coordinates in their order and for parameters by name.
  MaskExpr call(const Mask &mask, std::vector<MaskExpr> coordinates,
                const std::map<std::string, MaskExpr> &params = {});

  /// What the mask attends.
  void attend(const MaskExpr &predicate);
  /// What becomes of a score s.
  void score(const std::function<MaskExpr(MaskExpr s)> &clause);

  /// Checks and emits what was said so far. Errors name the mask; there is no line to show.
  Result<Mask> build() const;

private:
  MaskExpr coordinate(char name);
  void declare(ParamInfo info);

  std::shared_ptr<MaskExpr::Tree> tree;
};

} // namespace maskjit
