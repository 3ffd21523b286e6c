// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text and special tokens in turn, as text or as ids.
#pragma once
#include "model/Tokenizer.h"

namespace maskjit {

/// Where a conversation is written to, piece by piece.
class TokenSink {
public:
  virtual ~TokenSink() = default;
  virtual void special(const std::string &token) = 0;
  virtual void text(const std::string &text) = 0;
};

class TextSink : public TokenSink {
public:
  void special(const std::string &token) override { result += token; }
  void text(const std::string &text) override { result += text; }
  std::string result;
};

/// Throws std::runtime_error if the tokenizer lacks a special token.
class IdSink : public TokenSink {
public:
  explicit IdSink(const Tokenizer &tokenizer) : tokenizer(tokenizer) {}
  void special(const std::string &token) override;
  void text(const std::string &text) override;
  std::vector<int64_t> result;

private:
  const Tokenizer &tokenizer;
};

} // namespace maskjit
