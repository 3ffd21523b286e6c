// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the splitter makes of expressions: isolation, white space, refusals.
#include "model/tokenizer/WordSplitter.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <vector>

using namespace maskjit;
using Words = std::vector<std::string>;

namespace {

Words split(const std::string &expression, std::string_view text) {
  Words words;
  WordSplitter(expression).split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(WordSplitter, KeepsWhatLiesBetweenMatches) {
  EXPECT_EQ(split("b+", "abbcb"), (Words{"a", "bb", "c", "b"}));
  EXPECT_EQ(split("x", "abc"), (Words{"abc"}));
  EXPECT_EQ(split("x", ""), Words{});
}

TEST(WordSplitter, WhiteSpaceIsUnicodes) {
  EXPECT_EQ(split("\\s+", "a\xc2\xa0\xe3\x80\x80\xc2\x85z"), (Words{"a", "\xc2\xa0\xe3\x80\x80\xc2\x85", "z"}));
  // U+180E was white space until Unicode 6.3, and PCRE2 alone still takes it.
  EXPECT_EQ(split("\\s+", "a\xe1\xa0\x8ez"), (Words{"a\xe1\xa0\x8ez"}));
  EXPECT_EQ(split("[^\\s]+", "a b"), (Words{"a", " ", "b"}));
  EXPECT_EQ(split("\\s+(?!\\S)|\\S+", "a   b"), (Words{"a", "  ", " ", "b"}));
}

TEST(WordSplitter, RefusesWhatItCannotMatch) {
  const auto message = [](const std::string &expression, std::string_view text) -> std::string {
    try {
      split(expression, text);
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("(", ""), testing::HasSubstr("regular expression (: missing closing parenthesis"));
  EXPECT_THAT(message("[\\S]", ""), testing::HasSubstr("\\S inside a class is not supported"));
  EXPECT_THAT(message("a\\Kb", "ab b"), testing::Eq("")); // harmless: the match still has text
  EXPECT_THAT(message("(?=ab\\K)", "abab"), testing::HasSubstr("\\K"));
}

} // namespace
