// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits text into words by a tokenizer's regular expression.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace maskjit {

class WordSplitter {
public:
  /// Throws std::runtime_error if PCRE2 cannot compile the expression. `\s` and `\S` mean Unicode's White_Space, as in
  /// Oniguruma and Rust's regex; PCRE2 alone would add U+180E. Letters and marks are those of PCRE2's Unicode version.
  explicit WordSplitter(const std::string &expression);

  /// Calls `visit` with every match and every stretch between matches, in order. `text` must be valid UTF-8.
  void split(std::string_view text, const std::function<void(std::string_view)> &visit) const;

private:
  std::shared_ptr<const void> code; // pcre2_code
};

} // namespace maskjit
