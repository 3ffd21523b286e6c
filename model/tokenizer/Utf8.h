// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// UTF-8: validity, repair and single characters.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace maskjit::utf8 {

/// The character at the start of `text` (not empty). `size`: its bytes, or, if it is not valid, the bytes of the
/// maximal part that one U+FFFD stands for (Unicode 16, section 3.9, table 3-11); `code` is then U+FFFD.
struct Character {
  uint32_t code;
  unsigned size;
  bool valid;
};
Character first(std::string_view text);

/// Every maximal bad part becomes U+FFFD.
std::string repaired(std::string_view text);
bool valid(std::string_view text);

void append(std::string &text, uint32_t code);

} // namespace maskjit::utf8
