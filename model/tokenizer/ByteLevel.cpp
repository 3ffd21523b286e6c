// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GPT-2's way to write bytes as characters: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards.
#include "model/tokenizer/Utf8.h"
#include "model/tokenizer/Vocabulary.h"

namespace maskjit {

namespace {
struct ByteOfCharacter {
  int16_t byte[0x144]; // -1: none
  ByteOfCharacter() {
    std::fill(std::begin(byte), std::end(byte), -1);
    int other = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      byte[printable ? b : other++] = static_cast<int16_t>(b);
    }
  }
};
} // namespace

std::optional<std::string> bytesOfByteLevel(std::string_view text) {
  static const ByteOfCharacter table;
  std::string bytes;
  while (!text.empty()) {
    const utf8::Character character = utf8::first(text);
    if (!character.valid || character.code >= std::size(table.byte) || table.byte[character.code] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(table.byte[character.code]));
    text.remove_prefix(character.size);
  }
  return bytes;
}

} // namespace maskjit
