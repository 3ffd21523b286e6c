// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits a .mask file into tokens, one at a time.
#pragma once
#include "compiler/frontend/Source.h"

namespace maskjit::frontend {

enum class TokenKind { End, Bad, Word, Integer, Real, String, Mark };

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text; // of a string: without its quotes
  SourceRange range;
  bool is(std::string_view mark) const { return (kind == TokenKind::Mark || kind == TokenKind::Word) && text == mark; }
};

class Lexer {
public:
  explicit Lexer(const SourceFile &file);
  /// After a Bad token `error` says what is wrong with it.
  Token next();
  const Error &error() const { return failure; }

private:
  Token make(TokenKind kind, size_t end);
  Token bad(size_t end, std::string_view message, std::string_view advice = {});
  Token number();

  const SourceFile &file;
  std::string_view text;
  size_t at = 0;
  Error failure;
};

} // namespace maskjit::frontend
