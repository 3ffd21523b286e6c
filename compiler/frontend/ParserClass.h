// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The recursive-descent parser of .mask files; Parser.cpp has the declarations, ParseExpressions.cpp the expressions.
#pragma once
#include "compiler/frontend/Ast.h"
#include "compiler/frontend/Lexer.h"

namespace maskjit::frontend {

class Parser {
public:
  explicit Parser(std::shared_ptr<SyntaxTree> tree) : tree(std::move(tree)), lexer(this->tree->source) { advance(); }

  bool file();
  Error takeError() { return std::move(failure); }

private:
  // ---- declarations ----
  bool import();
  bool mask();
  bool coordinates(MaskDecl &decl);
  bool param(MaskDecl &decl);
  bool paramType(ParamDecl &param);
  bool defaultValue(ParamDecl &param);
  bool scoreClause(MaskDecl &decl);
  bool name(std::string_view what, std::string &name, SourceRange &range);
  std::optional<int64_t> signedInteger();
  std::optional<int64_t> integer();

  // ---- expressions; nothing on an error ----
  using Parsed = std::optional<ExprId>;
  Parsed block();
  Parsed binary(unsigned level);
  Parsed unary();
  Parsed primary();
  Parsed call(Expr expr);
  Operator operatorAt(unsigned level) const;
  Parsed add(Expr expr);
  bool operand(Expr &expr, Parsed value, Operator op = Operator::None, SourceRange range = {});

  // ---- tokens ----
  void advance() {
    lastEnd = token.range.end;
    token = lexer.next();
  }
  bool accept(std::string_view mark) { return token.is(mark) && (advance(), true); }
  bool expect(std::string_view mark, std::string_view where, std::string_view advice = {});
  std::string got() const;
  bool error(std::string_view message, std::string_view advice = {}) { return error(token.range, message, advice); }
  bool error(SourceRange range, std::string_view message, std::string_view advice = {});

  std::shared_ptr<SyntaxTree> tree;
  Lexer lexer;
  Token token;
  uint32_t lastEnd = 0;
  unsigned nesting = 0;
  Error failure;
};

/// Counts a level of nesting for the time of its life.
struct Level {
  explicit Level(unsigned &nesting) : nesting(nesting) { ++nesting; }
  ~Level() { --nesting; }
  unsigned &nesting;
};

} // namespace maskjit::frontend
