// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer of the warm start: one token a byte, and gpt-oss's special tokens after them.
#pragma once
#include <cstdint>
#include <string>

namespace maskjit::rl {

struct ByteTokenizer {
  static constexpr int64_t kVocabulary = 256 + 16; // bytes, then <|startoftext|>, <|endoftext|>, ... in their order
  static constexpr int64_t kPad = 257;             // <|endoftext|>
  static constexpr int64_t kStop = 260;            // <|return|>
  /// Text of its tokenizer.json, in the form that Hugging Face tokenizers reads.
  static std::string json();
};

} // namespace maskjit::rl
