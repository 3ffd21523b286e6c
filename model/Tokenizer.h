// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Byte-level BPE from tokenizer.json (o200k_harmony of gpt-oss), as Hugging Face tokenizers computes it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit {

class Tokenizer {
public:
  /// Reads `directory`/tokenizer.json (and tokenizer_config.json). Throws std::runtime_error naming file and field.
  static std::shared_ptr<const Tokenizer> load(const std::string &directory);
  /// Special tokens in the text become their ids unless `specials` is false. Invalid UTF-8 becomes U+FFFD.
  std::vector<int64_t> encode(std::string_view text, bool specials = true) const;
  /// Bytes of the ids; special tokens are left out if `skipSpecials`.
  std::string decode(const std::vector<int64_t> &ids, bool skipSpecials = false) const;
  /// -1 if the text is not one token.
  int64_t tokenId(std::string_view token) const;
  int64_t vocabSize() const;

private:
  struct Impl;
  std::shared_ptr<const Impl> impl;
};

} // namespace maskjit
