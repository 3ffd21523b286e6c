// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a tokenizer is made of, and the files that it is read from.
#pragma once
#include "model/tokenizer/AddedTokens.h"
#include "model/tokenizer/BytePairs.h"
#include <string>
#include <unordered_map>
#include <vector>

namespace maskjit {

struct Vocabulary {
  std::unordered_map<std::string, int32_t> tokens; // by their bytes, without the added ones
  std::vector<PairMerge> merges;                   // by rank
  bool ignoreMerges = false;                       // a word that is a token is that token, whatever the merges say
  std::string wordExpression;
  std::vector<AddedToken> added;

  /// Reads a Hugging Face tokenizer.json: byte-level BPE, one Split expression, no normalizer. Throws
  /// std::runtime_error naming file and field for anything else.
  static Vocabulary fromJson(const std::string &file);
  /// Reads a tiktoken file (a line a token: base64 and rank). Its added tokens and expression are not in it.
  static Vocabulary fromTiktoken(const std::string &file);
};

/// The bytes that a byte-level token's text stands for; nullopt if a character of it stands for none.
std::optional<std::string> bytesOfByteLevel(std::string_view text);

} // namespace maskjit
