// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unicode's table of well-formed byte sequences (3-7) as ranges of the second byte.
#include "model/tokenizer/Utf8.h"

namespace maskjit::utf8 {

Character first(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80)
    return {lead, 1, true};
  // Bytes that follow, and the range of the first of them; the others are 80..BF.
  unsigned follow = 0, low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF)
    follow = 1;
  else if (lead >= 0xE0 && lead <= 0xEF) {
    follow = 2;
    low = lead == 0xE0 ? 0xA0 : 0x80;  // no overlong forms
    high = lead == 0xED ? 0x9F : 0xBF; // no surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    follow = 3;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF; // nothing past U+10FFFF
  }
  uint32_t code = lead & (0x3F >> follow);
  for (unsigned i = 1; i <= follow; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high)
      return {0xFFFD, i, false};
    code = code << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return follow ? Character{code, follow + 1, true} : Character{0xFFFD, 1, false};
}

std::string repaired(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first(text);
    if (character.valid)
      result.append(text.substr(0, character.size));
    else
      result.append("\xEF\xBF\xBD");
    text.remove_prefix(character.size);
  }
  return result;
}

bool valid(std::string_view text) {
  while (!text.empty()) {
    const Character character = first(text);
    if (!character.valid)
      return false;
    text.remove_prefix(character.size);
  }
  return true;
}

void append(std::string &text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto putFollow = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80)
    return put(code);
  if (code < 0x800)
    put(0xC0 | code >> 6);
  else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    putFollow(6);
  } else {
    put(0xF0 | code >> 18);
    putFollow(12);
    putFollow(6);
  }
  putFollow(0);
}

} // namespace maskjit::utf8
