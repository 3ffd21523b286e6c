// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recursive descent, the grammar rule above each function. Stops at the first error.
#include "compiler/frontend/Parser.h"
#include "compiler/frontend/Lexer.h"
#include "compiler/frontend/Names.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace maskjit::frontend {

static constexpr std::string_view kReserved[] = {"mask",  "import", "let",  "static", "sorted", "int", "float", "true",
                                                 "false", "min",    "max",  "abs",    "tanh",   "exp", "log",   "sqrt",
                                                 "pow",   "if",     "else", "and",    "or",     "not", "score"};

bool isReserved(std::string_view word) {
  return std::find(std::begin(kReserved), std::end(kReserved), word) != std::end(kReserved);
}

namespace {

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

} // namespace

// ---- tokens ----

std::string Parser::got() const {
  switch (token.kind) {
  case TokenKind::End:
    return "the end of the file";
  case TokenKind::String:
    return fmt::format("\"{}\"", printable(token.text));
  default:
    return fmt::format("'{}'", printable(token.text));
  }
}

bool Parser::error(SourceRange range, std::string_view message, std::string_view advice) {
  if (failure.message.empty()) {
    if (token.kind == TokenKind::Bad) // what the lexer could not read is the cause
      failure = lexer.error();
    else
      failure = errorAt(tree->span(range), message, advice);
  }
  return false;
}

bool Parser::expect(std::string_view mark, std::string_view where, std::string_view advice) {
  return accept(mark) || error(fmt::format("expected '{}' {}, got {}", mark, where, got()), advice);
}

bool Parser::name(std::string_view what, std::string &name, SourceRange &range) {
  if (token.kind != TokenKind::Word)
    return error(fmt::format("expected {}, got {}", what, got()));
  if (isReserved(token.text))
    return error(fmt::format("expected {}, got '{}', a word of the language", what, token.text),
                 fmt::format("choose another name, as '{}_'", token.text));
  name = token.text;
  range = token.range;
  advance();
  return true;
}

// ---- declarations ----

/// file := import* mask+
bool Parser::file() {
  while (token.is("import"))
    if (!import())
      return false;
  if (token.kind == TokenKind::End)
    return error("expected a mask, got the end of the file", "mask NAME(q, k) = k <= q");
  while (token.kind != TokenKind::End) {
    if (token.is("import"))
      return error("expected a mask, got 'import'", "imports stand at the head of the file");
    if (!token.is("mask")) {
      std::string_view advice = "a mask begins with the word 'mask'";
      if (token.is("="))
        advice = "write '==' to compare";
      else if (token.is("and") || token.is("or"))
        advice = token.is("and") ? "write '&&'" : "write '||'";
      else if (token.is("^"))
        advice = "'^' joins two integer literals, as in 2^28";
      return error(tree->masks.empty() ? fmt::format("expected a mask, got {}", got())
                                       : fmt::format("expected an operator or the next mask, got {}", got()),
                   advice);
    }
    if (!mask())
      return false;
  }
  return true;
}

/// import := 'import' '"' (NAME | PATH) '"'
bool Parser::import() {
  advance();
  if (token.kind != TokenKind::String)
    return error(fmt::format("expected the name of a shipped mask or a file in quotes, got {}", got()),
                 token.kind == TokenKind::Word ? fmt::format("write \"{}\"", printable(token.text)) : "");
  tree->imports.push_back({std::string(token.text), token.range, nullptr});
  advance();
  return true;
}

/// mask := 'mask' NAME '(' coordinates (';' params)? ')' '=' block score?
bool Parser::mask() {
  advance();
  MaskDecl decl;
  if (!name("the mask's name", decl.name, decl.nameRange) || !expect("(", "before the coordinates") ||
      !coordinates(decl))
    return false;
  for (const MaskDecl &other : tree->masks)
    if (other.name == decl.name)
      return error(decl.nameRange, fmt::format("mask '{}' is already defined in line {}", decl.name,
                                               lineColumn(tree->source, other.nameRange.begin).line));
  if (tree->masks.size() == kMaxMasks)
    return error(decl.nameRange, fmt::format("more than {} masks in one file", kMaxMasks),
                 "split the file and import its parts");
  if (accept(";"))
    do
      if (!param(decl))
        return false;
    while (accept(","));
  if (!expect(")", "after the parameters") || !expect("=", "before the mask's expression"))
    return false;
  Parsed body = block();
  if (!body)
    return false;
  decl.body = *body;
  if (token.is("score") && !scoreClause(decl))
    return false;
  tree->masks.push_back(std::move(decl));
  return true;
}

/// coordinates := ('b' | 'h' | 'q' | 'k') (',' ...)*, each at most once
bool Parser::coordinates(MaskDecl &decl) {
  do {
    const std::string_view text = token.text;
    if (token.kind != TokenKind::Word || text.size() != 1 ||
        std::string_view("bhqk").find(text) == std::string_view::npos)
      return error(fmt::format("expected a coordinate, got {}", got()),
                   "the coordinates are b (batch), h (head), q (query) and k (key); parameters follow a ';'");
    for (const Coordinate &other : decl.coordinates)
      if (other.name == text[0])
        return error(fmt::format("coordinate '{}' is named twice", text));
    decl.coordinates.push_back({text[0], token.range});
    advance();
  } while (accept(","));
  if (token.is(")") || token.is(";"))
    return true;
  return error(fmt::format("expected ',', ';' or ')' after a coordinate, got {}", got()));
}

/// param := 'static'? NAME ('[' axis ']')? 'sorted'? ':' type ('=' default)?
bool Parser::param(MaskDecl &decl) {
  ParamDecl param;
  ParamInfo &info = param.info;
  info.isStatic = accept("static");
  if (!name("a parameter", info.name, param.nameRange))
    return false;
  if (info.name.size() == 1 && std::string_view("bhqk").find(info.name) != std::string_view::npos)
    return error(param.nameRange, fmt::format("parameter '{}' has the name of a coordinate", info.name),
                 "coordinates stand before the ';'");
  for (const ParamDecl &other : decl.params)
    if (other.info.name == info.name)
      return error(param.nameRange, fmt::format("parameter '{}' is declared twice", info.name));
  if (accept("[")) {
    const size_t axis = token.kind == TokenKind::Word && token.text.size() == 1
                            ? std::string_view("bhqk").find(token.text)
                            : std::string_view::npos;
    if (axis == std::string_view::npos)
      return error(fmt::format("expected what indexes '{}', got {}", info.name, got()),
                   "an array is indexed by b, h, q or k, as in documents[k]");
    info.axis = static_cast<Axis>(1 + axis);
    advance();
    if (!expect("]", "after the axis"))
      return false;
  }
  const SourceRange sorted = token.range;
  info.isSorted = accept("sorted");
  if (info.isSorted && info.axis == Axis::None)
    return error(sorted, "only an array can be sorted", fmt::format("write {}[k] sorted", info.name));
  if (info.isStatic && info.axis != Axis::None)
    return error(param.nameRange, "an array cannot be static",
                 "static parameters are single integers, folded into the kernel");
  if (!expect(":", fmt::format("and a type after '{}'", info.name), "as in window: int 1..4096 = 128") ||
      !paramType(param))
    return false;
  if (info.isFloat && (info.isStatic || info.isSorted))
    return error(param.nameRange, fmt::format("a float parameter cannot be {}", info.isStatic ? "static" : "sorted"));
  if (decl.params.size() == kMaxParams)
    return error(param.nameRange, fmt::format("more than {} parameters", kMaxParams));
  decl.params.push_back(std::move(param));
  return true;
}

/// type := 'float' | 'int' INTEGER '..' INTEGER
bool Parser::paramType(ParamDecl &param) {
  ParamInfo &info = param.info;
  info.isFloat = accept("float");
  if (!info.isFloat) {
    if (!accept("int"))
      return error(fmt::format("expected a type, got {}", got()), "int LOW..HIGH, or float for a score's parameter");
    const SourceRange first = token.range;
    const std::string_view advice = "as in int 0..2^28; the bounds are inclusive";
    if (token.kind != TokenKind::Integer && !token.is("-"))
      return error(fmt::format("expected the range of '{}', got {}", info.name, got()), advice);
    const std::optional<int64_t> low = signedInteger();
    if (!low || !expect("..", "between the bounds", advice))
      return false;
    const std::optional<int64_t> high = signedInteger();
    if (!high)
      return false;
    const SourceRange range{first.begin, lastEnd};
    if (*low > *high)
      return error(range, fmt::format("the range of '{}' is empty: {} is above {}", info.name, *low, *high));
    for (int64_t bound : {*low, *high})
      if (bound < std::numeric_limits<int32_t>::min() || bound > std::numeric_limits<int32_t>::max())
        return error(range, fmt::format("the bound {} does not fit in 32 bits", bound),
                     "parameters lie in -2^31..2^31-1");
    info.min = *low;
    info.max = *high;
  }
  return !accept("=") || defaultValue(param);
}

/// default := '-'? (INTEGER | REAL)
bool Parser::defaultValue(ParamDecl &param) {
  ParamInfo &info = param.info;
  const uint32_t begin = token.range.begin;
  if (info.isFloat) {
    const bool negative = accept("-");
    if (token.kind != TokenKind::Real && token.kind != TokenKind::Integer)
      return error(fmt::format("expected the default of '{}', a number, got {}", info.name, got()));
    double value = 0;
    std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    advance();
    if (!std::isfinite(static_cast<float>(value)))
      return error(SourceRange{begin, lastEnd}, fmt::format("the default of '{}' is no fp32 number", info.name));
    info.defaultValue = negative ? -value : value;
    return true;
  }
  const std::optional<int64_t> value = signedInteger();
  if (!value)
    return false;
  if (*value < info.min || *value > info.max)
    return error(SourceRange{begin, lastEnd}, fmt::format("the default of '{}', {}, is outside its range {}..{}",
                                                          info.name, *value, info.min, info.max));
  info.defaultValue = static_cast<double>(*value);
  return true;
}

/// score := 'score' '(' NAME ')' '=' block
bool Parser::scoreClause(MaskDecl &decl) {
  ScoreClause score;
  score.range = token.range;
  advance();
  if (!expect("(", "after 'score'", "score(s) = expression of s") ||
      !name("the score's name", score.variable, score.variableRange) || !expect(")", "after the score's name") ||
      !expect("=", "before the score's expression"))
    return false;
  Parsed body = block();
  if (!body)
    return false;
  score.body = *body;
  decl.score = std::move(score);
  return true;
}

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

Result<std::shared_ptr<SyntaxTree>> parseFile(SourceFile source) {
  auto tree = std::make_shared<SyntaxTree>();
  tree->source = std::move(source);
  tree->source.indexLines();
  if (tree->source.text.size() > kMaxFileBytes)
    return Error{fmt::format("{}: error: the file has {} bytes; a .mask file has at most {}",
                             printable(tree->source.name, 200), tree->source.text.size(), kMaxFileBytes)};
  Parser parser(tree);
  if (!parser.file())
    return parser.takeError();
  return tree;
}

} // namespace maskjit::frontend
