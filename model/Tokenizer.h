// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Byte-level BPE from tokenizer.json (o200k_harmony of gpt-oss), as Hugging Face tokenizers computes it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit {

/// Safe to use from many threads.
class Tokenizer {
public:
  /// Reads `directory`/tokenizer.json. Throws std::runtime_error naming file and field.
  static std::shared_ptr<const Tokenizer> load(const std::string &directory);
  /// o200k_harmony from tiktoken's file of o200k_base, for where there is no tokenizer.json.
  static std::shared_ptr<const Tokenizer> fromO200k(const std::string &tiktokenFile);

  /// Special tokens in the text become their ids unless `specials` is false. Invalid UTF-8 becomes U+FFFD.
  std::vector<int64_t> encode(std::string_view text, bool specials = true) const;
  /// Only the special tokens in `allowed` become their ids.
  std::vector<int64_t> encodeAllowing(std::string_view text, const std::vector<int64_t> &allowed) const;

  /// Bytes of the ids, which need not be UTF-8 (see replaceInvalidUtf8); special tokens are left out if `skipSpecials`.
  /// Ids of no token are left out: a model's vocabulary may be padded beyond the tokenizer's.
  std::string decode(const std::vector<int64_t> &ids, bool skipSpecials = false) const;

  /// -1 if the text is not one token.
  int64_t tokenId(std::string_view token) const;
  bool isSpecial(int64_t id) const;
  /// One more than the largest id.
  int64_t vocabSize() const;

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl(std::move(impl)) {}

private:
  std::shared_ptr<const Impl> impl;
};

/// Every maximal ill-formed part becomes one U+FFFD (Unicode 16, section 3.9).
std::string replaceInvalidUtf8(std::string_view bytes);

} // namespace maskjit
