// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers and expressions, the grammar rule above each function.
#include "compiler/frontend/Names.h"
#include "compiler/frontend/Parser.h"
#include "compiler/frontend/ParserClass.h"
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace maskjit::frontend {

// ---- numbers ----

std::optional<int64_t> Parser::signedInteger() {
  const bool negative = accept("-");
  std::optional<int64_t> value = integer();
  return value && negative ? std::optional(-*value) : value;
}

/// integer := digits ('^' digits)?
std::optional<int64_t> Parser::integer() {
  const SourceRange range = token.range;
  auto digits = [&](int64_t &value) {
    if (token.kind != TokenKind::Integer)
      return error(fmt::format("expected an integer, got {}", got()));
    const auto [end, code] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (code != std::errc())
      return error(fmt::format("the integer {} does not fit in 64 bits", printable(token.text, 30)));
    advance();
    return true;
  };
  int64_t base = 0, exponent = 0;
  if (!digits(base))
    return {};
  if (!accept("^"))
    return base;
  if (!digits(exponent))
    return {};
  int64_t value = 1;
  for (int64_t i = 0; i < exponent && base != 1 && value != 0; ++i)
    if (__builtin_mul_overflow(value, base, &value))
      return error(SourceRange{range.begin, lastEnd}, fmt::format("{}^{} does not fit in 64 bits", base, exponent)),
             std::nullopt;
  return value;
}

// ---- expressions ----

Parser::Parsed Parser::add(Expr expr) {
  expr.range.end = std::max(expr.range.end, lastEnd);
  for (const Operand &operand : expr.operands)
    expr.depth = std::max(expr.depth, 1 + tree->exprs[operand.expr].depth);
  tree->exprs.push_back(std::move(expr));
  return static_cast<ExprId>(tree->exprs.size() - 1);
}

bool Parser::operand(Expr &expr, Parsed value, Operator op, SourceRange range) {
  if (value)
    expr.operands.push_back({*value, op, false, {}, range});
  return value.has_value();
}

/// block := ('let' NAME '=' or ';')* or
Parser::Parsed Parser::block() {
  Level level(nesting);
  if (nesting > kMaxNesting)
    return error(fmt::format("more than {} levels of nesting", kMaxNesting), "name parts with 'let'"), std::nullopt;
  Expr expr(ExprKind::Block, token.range);
  while (accept("let")) {
    Operand let;
    if (!name("the name of a value", let.name, let.range) || !expect("=", "after the name"))
      return {};
    Parsed value = binary(0);
    if (!value || !expect(";", "after the value of 'let'", "let x = ...; expression"))
      return {};
    let.expr = *value;
    expr.operands.push_back(std::move(let));
  }
  Parsed value = binary(0);
  if (!value || expr.operands.empty())
    return value;
  operand(expr, value);
  return add(std::move(expr));
}

constexpr unsigned kUnaryLevel = 5;

Operator Parser::operatorAt(unsigned level) const {
  struct Entry {
    std::string_view mark;
    unsigned level;
    Operator op;
  };
  static constexpr Entry table[] = {{"||", 0, Operator::None}, {"&&", 1, Operator::None}, {"<", 2, Operator::Lt},
                                    {"<=", 2, Operator::Le},   {">", 2, Operator::Gt},    {">=", 2, Operator::Ge},
                                    {"==", 2, Operator::Eq},   {"!=", 2, Operator::Ne},   {"+", 3, Operator::Add},
                                    {"-", 3, Operator::Sub},   {"*", 4, Operator::Mul},   {"/", 4, Operator::Div},
                                    {"%", 4, Operator::Rem}};
  if (token.kind == TokenKind::Mark)
    for (const Entry &entry : table)
      if (entry.level == level && token.text == entry.mark)
        return entry.op;
  return Operator::None;
}

/// or := and ('||' and)*; and := comparison ('&&' ...)*; comparison := sum ('<' | '<=' | ... sum)*;
/// sum := product ('+' | '-' ...)*; product := unary ('*' | '/' | '%' ...)*
Parser::Parsed Parser::binary(unsigned level) {
  if (level == kUnaryLevel)
    return unary();
  static constexpr ExprKind kinds[] = {ExprKind::Or, ExprKind::And, ExprKind::Comparison, ExprKind::Sum,
                                       ExprKind::Product};
  Expr expr(kinds[level], token.range);
  Parsed first = binary(level + 1);
  if (!operand(expr, first))
    return {};
  for (;;) {
    const SourceRange range = token.range;
    const Operator op = operatorAt(level);
    if (op == Operator::None && !(level == 0 && token.is("||")) && !(level == 1 && token.is("&&")))
      break;
    advance();
    if (!operand(expr, binary(level + 1), op, range))
      return {};
  }
  return expr.operands.size() == 1 ? first : add(std::move(expr));
}

/// unary := ('-' | '!') unary | primary
Parser::Parsed Parser::unary() {
  if (!token.is("-") && !token.is("!"))
    return primary();
  Level level(nesting);
  if (nesting > kMaxNesting)
    return error(fmt::format("more than {} levels of nesting", kMaxNesting)), std::nullopt;
  Expr expr(token.is("-") ? ExprKind::Negate : ExprKind::Not, token.range);
  advance();
  return operand(expr, unary()) ? add(std::move(expr)) : std::nullopt;
}

/// primary := INTEGER | REAL | 'true' | 'false' | NAME | NAME '[' block ']' | call | '(' block ')'
Parser::Parsed Parser::primary() {
  Expr expr(ExprKind::Integer, token.range);
  if (token.kind == TokenKind::Integer) {
    const std::optional<int64_t> value = integer();
    expr.value = value.value_or(0);
    return value ? add(std::move(expr)) : std::nullopt;
  }
  if (token.kind == TokenKind::Real) {
    expr.kind = ExprKind::Real;
    std::from_chars(token.text.data(), token.text.data() + token.text.size(), expr.real);
    if (!std::isfinite(static_cast<float>(expr.real)))
      return error("this number is beyond fp32"), std::nullopt;
    advance();
    return add(std::move(expr));
  }
  if (accept("(")) {
    Parsed inner = block();
    if (!inner || !expect(")", "after the expression"))
      return {};
    return inner;
  }
  if (token.is("true") || token.is("false")) {
    expr.kind = ExprKind::Truth;
    expr.value = token.is("true");
    advance();
    return add(std::move(expr));
  }
  if (token.kind != TokenKind::Word || (isReserved(token.text) && !isFunction(token.text))) {
    std::string_view advice;
    if (token.is("let"))
      advice = "'let' stands at the head of an expression or in parentheses";
    else if (token.is("not"))
      advice = "write '!'";
    else if (token.is("if"))
      advice = "there is no conditional: combine truth values with '&&', '||' and '!'";
    return error(fmt::format("expected an expression, got {}", got()), advice), std::nullopt;
  }
  expr.name = token.text;
  expr.nameRange = token.range;
  advance();
  if (token.is("("))
    return call(std::move(expr));
  expr.kind = ExprKind::Name;
  if (accept("[")) {
    expr.kind = ExprKind::Index;
    if (!operand(expr, block()) || !expect("]", "after the index"))
      return {};
  }
  return add(std::move(expr));
}

/// call := NAME '(' block (',' block)* (';' (NAME '=')? block (',' ...)*)? ')'
Parser::Parsed Parser::call(Expr expr) {
  expr.kind = ExprKind::Call;
  advance();
  if (!token.is(")") && !token.is(";"))
    do
      if (!operand(expr, block()))
        return {};
    while (accept(","));
  if (accept(";"))
    do {
      Operand argument;
      argument.isParam = true;
      argument.range = token.range;
      Parsed value = block();
      // `window = w`: what was read so far is a name.
      if (value && token.is("=") && tree->exprs[*value].kind == ExprKind::Name) {
        argument.name = tree->exprs[*value].name;
        argument.range = tree->exprs[*value].range;
        advance();
        value = block();
      }
      if (!value)
        return {};
      argument.expr = *value;
      expr.operands.push_back(std::move(argument));
    } while (accept(","));
  if (!expect(")", "after the arguments"))
    return {};
  return add(std::move(expr));
}

} // namespace maskjit::frontend
