// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Declarations of a .mask file, the grammar rule above each function. Stops at the first error.
#include "compiler/frontend/Parser.h"
#include "compiler/frontend/ParserClass.h"
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
