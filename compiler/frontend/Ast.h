// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The syntax tree of a .mask file. Expressions live in one array and name each other by index, so that no input can
// make building, copying or freeing a tree recurse.
#pragma once
#include "compiler/Compiler.h"
#include "compiler/frontend/Source.h"

namespace maskjit::frontend {

using ExprId = uint32_t;

enum class ExprKind {
  Integer,    // value
  Real,       // real
  Truth,      // value
  Name,       // name
  Index,      // name[operands[0]]
  Negate,     // -operands[0]
  Not,        // !operands[0]
  Sum,        // operands joined by + and -
  Product,    // operands joined by * / %
  Comparison, // a chain: operands[0] < operands[1] <= ...
  And,
  Or,
  Call,  // name(operands; operands that are parameters)
  Block, // let name = operand; ...; the last operand is the value
};

enum class Operator { None, Add, Sub, Mul, Div, Rem, Lt, Le, Gt, Ge, Eq, Ne };

struct Operand {
  ExprId expr = 0;
  Operator op = Operator::None; // in front of it, from the second one on
  bool isParam = false;         // of a call: stands after the semicolon
  std::string name;             // `let name = ...`, or `name = ...` in a call
  SourceRange range;            // of the operator or of the name
};

struct Expr {
  Expr(ExprKind kind, SourceRange range) : kind(kind), range(range) {}

  ExprKind kind = ExprKind::Integer;
  SourceRange range;
  SourceRange nameRange;
  std::string name;
  int64_t value = 0;
  double real = 0;
  std::vector<Operand> operands;
  uint32_t depth = 1; // of the tree below, itself included
};

struct Coordinate {
  char name = 'q'; // b, h, q or k
  SourceRange range;
};

struct ParamDecl {
  ParamInfo info;
  SourceRange nameRange;
};

struct ScoreClause {
  std::string variable;
  SourceRange variableRange;
  SourceRange range; // of the word `score`
  ExprId body = 0;
};

struct MaskDecl {
  std::string name;
  SourceRange nameRange;
  std::vector<Coordinate> coordinates;
  std::vector<ParamDecl> params;
  ExprId body = 0;
  std::optional<ScoreClause> score;
};

struct SyntaxTree;
struct Import {
  std::string target; // as written
  SourceRange range;
  std::shared_ptr<const SyntaxTree> tree;
};

struct SyntaxTree {
  SourceFile source;
  std::vector<Import> imports;
  std::vector<Expr> exprs;
  std::vector<MaskDecl> masks;

  const Expr &expr(ExprId id) const { return exprs[id]; }
  SourceSpan span(SourceRange range) const { return {&source, range}; }
};

/// Bounds that keep the cost of every input finite: bytes and masks of a file, parameters of a mask, parentheses in
/// each other, files that one file reaches by imports.
constexpr size_t kMaxFileBytes = size_t(1) << 20, kMaxMasks = 1000, kMaxParams = 64, kMaxImports = 64;
constexpr unsigned kMaxNesting = 200;

} // namespace maskjit::frontend
