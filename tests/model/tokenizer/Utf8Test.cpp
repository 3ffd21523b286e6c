// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unicode's own examples of ill-formed text, and every code point there and back.
#include "model/tokenizer/Utf8.h"
#include <gtest/gtest.h>

using namespace maskjit;

namespace {

const std::string kBad = "\xEF\xBF\xBD";
std::string bad(int times) {
  std::string text;
  for (int i = 0; i < times; ++i)
    text += kBad;
  return text;
}

TEST(Utf8, ExamplesOfTheStandard) {
  // Tables 3-8 to 3-11 of Unicode 16.
  EXPECT_EQ(utf8::repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), bad(8) + "A");
  EXPECT_EQ(utf8::repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), bad(8) + "A");
  EXPECT_EQ(utf8::repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), bad(5) + "A" + bad(2) + "B");
  EXPECT_EQ(utf8::repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), bad(4) + "A");
}

TEST(Utf8, EveryCodePointAndNoSurrogate) {
  for (uint32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text;
    utf8::append(text, code);
    const utf8::Character character = utf8::first(text);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(character.valid, !surrogate) << std::hex << code;
    if (!surrogate) {
      ASSERT_EQ(character.code, code);
      ASSERT_EQ(character.size, text.size());
    }
  }
}

TEST(Utf8, CutOffAtTheEnd) {
  EXPECT_EQ(utf8::repaired("a\xF0\x9F\x99"), "a" + kBad);
  EXPECT_EQ(utf8::repaired("\xE4\xBD"), kBad);
  EXPECT_EQ(utf8::repaired(""), "");
  EXPECT_TRUE(utf8::valid(""));
  EXPECT_FALSE(utf8::valid("\xE4"));
}

} // namespace
