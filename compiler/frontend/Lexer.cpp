// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens: words, numbers, strings, marks; `//` comments and white space are skipped.
#include "compiler/frontend/Lexer.h"
#include <fmt/format.h>

namespace maskjit::frontend {

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool startsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

Lexer::Lexer(const SourceFile &file) : file(file), text(file.text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") // a byte order mark
    at = 3;
}

Token Lexer::make(TokenKind kind, size_t end) {
  Token token{kind, text.substr(at, end - at), {static_cast<uint32_t>(at), static_cast<uint32_t>(end)}};
  at = end;
  return token;
}

Token Lexer::bad(size_t end, std::string_view message, std::string_view advice) {
  Token token = make(TokenKind::Bad, end);
  failure = errorAt({&file, token.range}, message, advice);
  at = text.size(); // nothing after an error is read
  return token;
}

/// integer := digit+; real := digit+ ('.' digit+)? exponent?. In `0..8` the dots belong to the range.
Token Lexer::number() {
  size_t end = at;
  bool real = false;
  auto digits = [&] {
    while (end < text.size() && isDigit(text[end]))
      ++end;
  };
  digits();
  if (end + 1 < text.size() && text[end] == '.' && isDigit(text[end + 1])) {
    real = true;
    ++end;
    digits();
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const size_t sign = end + 1 < text.size() && (text[end + 1] == '-' || text[end + 1] == '+');
    if (end + 1 + sign < text.size() && isDigit(text[end + 1 + sign])) {
      real = true;
      end += 1 + sign;
      digits();
    }
  }
  if (end < text.size() && startsWord(text[end])) {
    while (end < text.size() && (startsWord(text[end]) || isDigit(text[end])))
      ++end;
    return bad(end, fmt::format("expected a number, got '{}'", printable(text.substr(at, end - at))),
               "numbers are decimal, as 128, 2^28 or 0.5");
  }
  return make(real ? TokenKind::Real : TokenKind::Integer, end);
}

Token Lexer::next() {
  for (;; ++at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
      ++at;
    if (text.substr(at, 2) != "//")
      break;
    // A comment may hold any character, but the file stays text.
    while (at < text.size() && text[at] != '\n') {
      const unsigned length = utf8Length(text.substr(at));
      if (length == 0 || text[at] == '\0')
        return bad(at + 1, fmt::format("expected UTF-8 text, got the byte 0x{:02x} in a comment",
                                       static_cast<unsigned char>(text[at])));
      at += length;
    }
    if (at == text.size())
      break;
  }
  if (at == text.size())
    return make(TokenKind::End, at);

  const char c = text[at];
  if (startsWord(c)) {
    size_t end = at;
    while (end < text.size() && (startsWord(text[end]) || isDigit(text[end])))
      ++end;
    return make(TokenKind::Word, end);
  }
  if (isDigit(c))
    return number();
  if (c == '"') {
    const size_t end = text.find_first_of("\"\n", at + 1);
    if (end == std::string_view::npos || text[end] == '\n')
      return bad(std::min(end, text.size()), "this string has no end", "close it with '\"' on the same line");
    for (size_t i = at + 1; i < end; i += utf8Length(text.substr(i)))
      if (utf8Length(text.substr(i)) == 0 || static_cast<unsigned char>(text[i]) < 0x20)
        return bad(end + 1, fmt::format("unexpected byte 0x{:02x} in a string", static_cast<unsigned char>(text[i])));
    Token token = make(TokenKind::String, end + 1);
    token.text = token.text.substr(1, token.text.size() - 2);
    return token;
  }
  for (std::string_view mark : {"..", "<=", ">=", "==", "!=", "&&", "||"})
    if (text.substr(at, 2) == mark)
      return make(TokenKind::Mark, at + 2);
  if (std::string_view("()[]:;,=<>+-*/%!^").find(c) != std::string_view::npos && c != '\0')
    return make(TokenKind::Mark, at + 1);

  const unsigned length = utf8Length(text.substr(at));
  if (length == 0)
    return bad(at + 1, fmt::format("expected UTF-8 text, got the byte 0x{:02x}", static_cast<unsigned char>(c)));
  static constexpr std::pair<std::string_view, std::string_view> instead[] = {
      {"&", "write '&&'"},
      {"|", "write '||'"},
      {"{", "masks have no braces: mask NAME(q, k) = expression"},
      {"}", "masks have no braces: mask NAME(q, k) = expression"},
      {"?", "there is no conditional: combine truth values with '&&', '||' and '!'"},
      {".", "a range is written 0..8, a real number 0.5"},
      {"'", "a file's name stands in '\"'"},
      {"#", "a comment begins with '//'"},
      {"\u2264", "write '<='"},
      {"\u2265", "write '>='"},
      {"\u2260", "write '!='"},
      {"\u2212", "write '-'"},
      {"\u00d7", "write '*'"},
      {"\u2227", "write '&&'"},
      {"\u2228", "write '||'"},
      {"\u00ac", "write '!'"}};
  const std::string_view character = text.substr(at, length);
  std::string_view advice;
  for (const auto &[wrong, right] : instead)
    if (character == wrong)
      advice = right;
  const bool control = length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F);
  return bad(at + length,
             control ? fmt::format("unexpected byte 0x{:02x}", static_cast<unsigned char>(c))
                     : fmt::format("unexpected character '{}'", printable(character)),
             advice);
}

} // namespace maskjit::frontend
