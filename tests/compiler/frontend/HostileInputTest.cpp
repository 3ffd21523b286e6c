// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whatever the text, parsing ends in a mask or in a located error, soon.
#include "compiler/Compiler.h"
#include <chrono>
#include <gmock/gmock.h>
#include <random>

using namespace maskjit;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i)
    out += text;
  return out;
}

/// The error of `text`, empty if it is a mask; a test fails if that takes long.
std::string errorOf(const std::string &text) {
  const auto start = std::chrono::steady_clock::now();
  Result<Mask> mask = Mask::parse(text, "hostile.mask");
  // Far above what any input needs (well below a second), far below what a quadratic pass over one would take.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  if (mask)
    return "";
  EXPECT_THAT(mask.error().message, StartsWith("hostile.mask:"));
  EXPECT_LT(mask.error().message.size(), 20000u);
  return mask.error().message;
}

} // namespace

TEST(HostileInput, EmptyAndBlank) {
  EXPECT_THAT(errorOf(""), StartsWith("hostile.mask:1:1: error: expected a mask, got the end of the file"));
  EXPECT_THAT(errorOf(" \n\n // nothing\n"), HasSubstr("hostile.mask:4:1: error"));
}

TEST(HostileInput, DeepNesting) {
  const std::string head = "mask m(q, k) = ";
  EXPECT_THAT(errorOf(head + repeat("(", 100000)), HasSubstr("more than 200 levels of nesting"));
  EXPECT_THAT(errorOf(head + repeat("-", 100000) + "q < k"), HasSubstr("more than 200 levels of nesting"));
  EXPECT_THAT(errorOf(head + repeat("!", 100000) + "q"), HasSubstr("more than 200 levels of nesting"));
  EXPECT_THAT(errorOf(head + repeat("min(q, ", 50000)), HasSubstr("more than 200 levels of nesting"));
  EXPECT_THAT(errorOf("mask m(q, k; d[k]: int 0..4) = " + repeat("d[", 50000)),
              HasSubstr("more than 200 levels of nesting"));
  EXPECT_EQ(errorOf(head + repeat("(", 150) + "k <= q" + repeat(")", 150)), "");
}

TEST(HostileInput, LongChains) {
  EXPECT_EQ(errorOf("mask m(q, k) = k <= q" + repeat(" && k <= q", 50000)), "");
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q" + repeat(" + k", 30000)), HasSubstr("more than 20000 operations"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q" + repeat(" * 1000", 1000)),
              HasSubstr("all values of a mask fit in 64 bits"));
}

TEST(HostileInput, CallsThatDoubleAtEachLevel) {
  // 2^60 calls if each were expanded; equal calls are one.
  std::string text = "mask m0(q, k) = k <= q\n";
  for (int i = 1; i <= 60; ++i)
    text += "mask m" + std::to_string(i) + "(q, k) = m" + std::to_string(i - 1) + "(q, k) && m" +
            std::to_string(i - 1) + "(q, k)\n";
  EXPECT_EQ(errorOf(text), "");
  // Here none are equal.
  text = "mask m0(q, k) = k <= q\n";
  for (int i = 1; i <= 40; ++i)
    text += "mask m" + std::to_string(i) + "(q, k) = m" + std::to_string(i - 1) + "(2 * q, k) && m" +
            std::to_string(i - 1) + "(2 * q + 1, k)\n";
  EXPECT_THAT(errorOf(text), HasSubstr("error: "));
}

TEST(HostileInput, LongChainOfCalls) {
  std::string text = "mask m0(q, k) = k <= q\n";
  for (int i = 1; i <= 300; ++i)
    text += "mask m" + std::to_string(i) + "(q, k) = m" + std::to_string(i - 1) + "(q + 1, k)\n";
  EXPECT_THAT(errorOf(text), HasSubstr("more than 100 masks call each other"));
}

TEST(HostileInput, HugeFiles) {
  const size_t size = 10000000;
  EXPECT_THAT(errorOf(std::string(size, ' ')),
              HasSubstr("the file has 10000000 bytes; a .mask file has at most 1048576"));
  const size_t most = 1 << 20;
  EXPECT_THAT(errorOf(std::string(most, 'a')), HasSubstr("expected a mask"));
  EXPECT_THAT(errorOf("mask " + std::string(most - 5, 'a')), HasSubstr("expected '('"));
  EXPECT_THAT(errorOf("mask m(q, k) = " + std::string(most - 15, '9')), HasSubstr("does not fit in 64 bits"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q" + repeat("\nmask m(q, k) = k <= q", 40000)),
              HasSubstr("mask 'm' is already defined in line 1"));
  std::string many;
  for (int i = 0; i < 30000; ++i)
    many += "mask m" + std::to_string(i) + "(q, k) = k <= q\n";
  EXPECT_THAT(errorOf(many), HasSubstr("more than 1000 masks in one file"));
  std::string lets = "mask m(q, k) = ";
  for (int i = 0; i < 30000; ++i)
    lets += "let x" + std::to_string(i) + " = q + " + std::to_string(i) + "; ";
  EXPECT_THAT(errorOf(lets + "k <= q"), HasSubstr("more than 20000 operations"));
}

TEST(HostileInput, BytesThatAreNoText) {
  EXPECT_THAT(errorOf(std::string("mask m(q, k) = k \0 q", 20)),
              HasSubstr("hostile.mask:1:18: error: unexpected byte 0x00"));
  EXPECT_THAT(errorOf(std::string("// \0\nmask m(q, k) = k < q", 25)),
              HasSubstr("hostile.mask:1:4: error: expected UTF-8 text, got the byte 0x00"));
  EXPECT_THAT(errorOf("mask m(q, k) = k \xff q"),
              HasSubstr("hostile.mask:1:18: error: expected UTF-8 text, got the byte 0xff"));
  EXPECT_THAT(errorOf("mask m(q, k) = k \xc0\xaf q"),
              HasSubstr("expected UTF-8 text, got the byte 0xc0")); // overlong '/'
  EXPECT_THAT(errorOf("mask m(q, k) = k \xed\xa0\x80 q"),
              HasSubstr("expected UTF-8 text, got the byte 0xed")); // a surrogate
  EXPECT_THAT(errorOf("import \"\xe2\x82\""), HasSubstr("unexpected byte 0xe2 in a string"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q \x1b[31m"), HasSubstr("unexpected byte 0x1b"));
  EXPECT_EQ(errorOf("// \xe2\x89\xa4 is fine here\nmask m(q, k) = k <= q"), "");
  EXPECT_EQ(errorOf("\xef\xbb\xbfmask m(q, k) = k <= q\r\n"), "");
}

TEST(HostileInput, UnterminatedThings) {
  EXPECT_THAT(errorOf("import \"causal"), HasSubstr("hostile.mask:1:8: error: this string has no end"));
  EXPECT_THAT(errorOf("import \"causal\nmask m(q, k) = k <= q"),
              HasSubstr("hostile.mask:1:8: error: this string has no end"));
  EXPECT_THAT(errorOf("mask m(q, k"), HasSubstr("hostile.mask:1:12: error: expected ',', ';' or ')'"));
  EXPECT_THAT(errorOf("mask m(q, k) ="),
              HasSubstr("hostile.mask:1:15: error: expected an expression, got the end of the file"));
  EXPECT_THAT(errorOf("mask m(q, k) = let x = 1"), HasSubstr("expected ';' after the value of 'let'"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= min(q, 3"), HasSubstr("expected ')' after the arguments"));
}

namespace {
const std::string kWhole = R"(import "causal" // comment
import "sliding_window"
mask a(h, q, k; static n: int 1..8 = 2, d[k] sorted: int 0..2^20 = 0, slope[h]: float = 0.5) =
  let p = (q + n) * 3 / n % 7;
  causal(p, k) && !(d[p] == d[k]) || 0 <= q - k < n || sliding_window(q, k; window = max(n, 2, abs(q - k)))
  score(s) = pow(tanh(s / 2.5e1), 3) * slope[h] + min(s, 1.0) - exp(-abs(s)) + sqrt(1 + s * s)
)";
} // namespace

TEST(HostileInput, EveryPrefixOfAFile) {
  EXPECT_EQ(errorOf(kWhole), "");
  for (size_t length = 0; length < kWhole.size(); ++length)
    errorOf(kWhole.substr(0, length));
}

TEST(HostileInput, RandomEdits) {
  const unsigned seed = 20260711;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view pieces[] = {
      "(",    ")",  "[",     "]",          ";",       ",",       "let x = ", "2^28",       "2^",
      "..",   "q",  "k",     "h",          "causal(", "-",       "!",        "/ 0",        "% n",
      "\"",   "//", "\n",    "score(s) =", "mask ",   "import ", "1e400",    "9999999999", std::string_view("\0", 1),
      "\xff", "d",  "slope", "true",       "min("};
  int masks = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = kWhole;
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % (text.size() + 1);
      switch (random() % 3) {
      case 0:
        text.insert(at, pieces[random() % std::size(pieces)]);
        break;
      case 1:
        text.erase(at, random() % 8);
        break;
      default:
        text.replace(at, std::min<size_t>(random() % 4, text.size() - at), pieces[random() % std::size(pieces)]);
      }
    }
    masks += errorOf(text).empty();
  }
  EXPECT_GT(masks, 100); // edits in comments and white space leave a mask
  EXPECT_LT(masks, 19000);
}
