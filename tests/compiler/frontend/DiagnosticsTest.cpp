// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Errors of .mask files, as a user reads them: place, line, caret, and what to write instead.
#include "compiler/Compiler.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;

namespace {

std::string errorOf(std::string_view text) {
  Result<Mask> mask = Mask::parse(text, "local.mask");
  return mask ? "no error" : mask.error().message;
}
std::string findError(std::string_view reference) {
  Result<Mask> mask = Mask::find(reference);
  return mask ? "no error" : mask.error().message;
}

/// A folder of .mask files for the life of a test.
class Folder : public testing::Test {
protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "maskjit-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  void TearDown() override { std::filesystem::remove_all(path); }
  void write(const std::string &name, std::string_view text) {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
  std::string in(const std::string &name) const { return (path / name).string(); }
  std::filesystem::path path;
};
using Imports = Folder;
using References = Folder;

} // namespace

TEST(Diagnostics, MisspelledNames) {
  EXPECT_EQ(errorOf("mask near(q, k; window: int 1..4096) =\n  0 <= q - k < windwo"),
            "local.mask:2:16: error: unknown name 'windwo'\n"
            "    0 <= q - k < windwo\n"
            "                 ^~~~~~ did you mean 'window'?");
  EXPECT_EQ(errorOf("mask near(q, k) = casual(q, k)\nmask causal2(q, k) = k <= q"),
            "local.mask:1:19: error: no mask or function 'casual'\n"
            "  mask near(q, k) = casual(q, k)\n"
            "                    ^~~~~~ did you mean 'causal2'?");
  EXPECT_EQ(errorOf("import \"sliding_windw\"\nmask m(q, k) = k <= q"),
            "local.mask:1:8: error: no mask 'sliding_windw' ships with maskjit\n"
            "  import \"sliding_windw\"\n"
            "         ^~~~~~~~~~~~~~~ did you mean 'sliding_window'?");
  EXPECT_EQ(errorOf("import \"sliding_window\"\nmask m(q, k) = sliding_window(q, k; windw = 3)"),
            "local.mask:2:37: error: mask 'sliding_window' has no parameter 'windw'\n"
            "  mask m(q, k) = sliding_window(q, k; windw = 3)\n"
            "                                      ^~~~~ did you mean 'window'?");
}

TEST(Diagnostics, ShippedMaskWithoutItsImport) {
  EXPECT_EQ(errorOf("mask m(q, k) = causal(q, k) && k > 3"),
            "local.mask:1:16: error: no mask 'causal' in this file\n"
            "  mask m(q, k) = causal(q, k) && k > 3\n"
            "                 ^~~~~~ it ships with maskjit: write import \"causal\" at the head");
}

TEST(Diagnostics, MaskUsedAsValue) {
  EXPECT_EQ(errorOf("import \"causal\"\nmask window(q, k; w: int 1..9) = q - k < causal"),
            "local.mask:2:42: error: expected a value, got the mask 'causal'\n"
            "  mask window(q, k; w: int 1..9) = q - k < causal\n"
            "                                           ^~~~~~ call it: causal(q, k)");
}

TEST(Diagnostics, KindsThatDoNotFit) {
  EXPECT_EQ(errorOf("mask m(q, k) = q - k"), "local.mask:1:16: error: expected a truth value, got an integer\n"
                                             "  mask m(q, k) = q - k\n"
                                             "                 ^~~~~ compare it, as in x != 0");
  EXPECT_EQ(errorOf("mask m(q, k) = (k <= q) + 1 > 0"),
            "local.mask:1:17: error: expected an integer, got a truth value\n"
            "  mask m(q, k) = (k <= q) + 1 > 0\n"
            "                  ^~~~~~ combine comparisons with '&&' and '||'");
  EXPECT_EQ(errorOf("mask m(q, k) = !k <= q"),
            "local.mask:1:17: error: expected a truth value, got an integer\n"
            "  mask m(q, k) = !k <= q\n"
            "                  ^ '!' binds tightly: write !(a < b) for the opposite of a comparison");
  EXPECT_EQ(errorOf("mask m(q, k) = k <= 0.5"), "local.mask:1:21: error: expected an integer, got a real number\n"
                                                "  mask m(q, k) = k <= 0.5\n"
                                                "                      ^~~ real numbers stand in a score clause");
  EXPECT_EQ(errorOf("mask m(q, k; d[k]: int 0..9) = d == 3"),
            "local.mask:1:32: error: expected a value, got the array 'd'\n"
            "  mask m(q, k; d[k]: int 0..9) = d == 3\n"
            "                                 ^ read an element: d[k]");
  EXPECT_EQ(errorOf("mask m(q, k; d: int 0..9) = d[k] == 3"),
            "local.mask:1:29: error: 'd' is a single value, not an array\n"
            "  mask m(q, k; d: int 0..9) = d[k] == 3\n"
            "                              ^~~~ write d, or declare d[k]");
}

TEST(Diagnostics, HabitsOfOtherLanguages) {
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q and q > 3"), HasSubstr("^~~ write '&&'"));
  EXPECT_THAT(errorOf("mask m(q, k) = k = q"), HasSubstr("^ write '==' to compare"));
  EXPECT_THAT(errorOf("mask m(q, k) = k & q"), HasSubstr("^ write '&&'"));
  EXPECT_THAT(errorOf("mask m(q, k) = not k <= q"), HasSubstr("^~~ write '!'"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q ? true : false"), HasSubstr("^ there is no conditional"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q; // comment"),
              HasSubstr("expected an operator or the next mask, got ';'"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= 0x10"), HasSubstr("^~~~ numbers are decimal"));
  // One character that takes three bytes: the caret stands under it.
  EXPECT_EQ(errorOf("mask m(q, k) = k ≤ q"), "local.mask:1:18: error: unexpected character '≤'\n"
                                             "  mask m(q, k) = k ≤ q\n"
                                             "                   ^ write '<='");
}

TEST(Diagnostics, Declarations) {
  EXPECT_THAT(errorOf("mask m(q; k) = k <= q"),
              HasSubstr("local.mask:1:11: error: parameter 'k' has the name of a coordinate"));
  EXPECT_THAT(errorOf("mask m(i, j) = i <= j"), HasSubstr("local.mask:1:8: error: expected a coordinate, got 'i'"));
  EXPECT_THAT(errorOf("mask m(q, q) = q > 1"), HasSubstr("local.mask:1:11: error: coordinate 'q' is named twice"));
  EXPECT_THAT(errorOf("mask m(q, k; w) = k <= q"),
              HasSubstr("local.mask:1:15: error: expected ':' and a type after 'w', got ')'"));
  EXPECT_THAT(errorOf("mask m(q, k; w: int) = k <= q"),
              HasSubstr("local.mask:1:20: error: expected the range of 'w', got ')'"));
  EXPECT_THAT(errorOf("mask m(q, k; w: int 9..3) = k <= q"),
              HasSubstr("local.mask:1:21: error: the range of 'w' is empty: 9 is above 3"));
  EXPECT_THAT(errorOf("mask m(q, k; w: int 0..2^31) = k <= q"),
              HasSubstr("the bound 2147483648 does not fit in 32 bits"));
  EXPECT_THAT(errorOf("mask m(q, k; w: int 1..8 = 9) = k <= q"),
              HasSubstr("local.mask:1:28: error: the default of 'w', 9, is outside its range 1..8"));
  EXPECT_THAT(errorOf("mask m(q, k; w sorted: int 1..8) = k <= q"), HasSubstr("only an array can be sorted"));
  EXPECT_THAT(errorOf("mask m(q, k; static d[k]: int 1..8) = k <= q"), HasSubstr("an array cannot be static"));
  EXPECT_THAT(errorOf("mask m(q, k; w: int 1..8, w: int 1..8) = k <= q"), HasSubstr("parameter 'w' is declared twice"));
  EXPECT_THAT(errorOf("mask m(q, k) = b == 0"), HasSubstr("^ write mask m(q, k, b...)"));
  EXPECT_THAT(errorOf("mask m(q, k) = let q = 3; k <= q"),
              HasSubstr("local.mask:1:20: error: 'q' is already a coordinate"));
  EXPECT_THAT(errorOf("mask m(q, k) = let x = 3; let x = 4; k <= x"), HasSubstr("'x' is already defined"));
}

TEST(Diagnostics, DivisorsThatCanBeZero) {
  EXPECT_EQ(errorOf("mask m(q, k; n: int 0..8) = q / n == k"),
            "local.mask:1:33: error: the divisor can be 0: it lies in 0..8\n"
            "  mask m(q, k; n: int 0..8) = q / n == k\n"
            "                                  ^ declare n: int 1..8");
  EXPECT_EQ(errorOf("mask m(q, k) = q % (q - k) == 0"),
            "local.mask:1:21: error: the divisor can be 0: it lies in -268435455..268435455\n"
            "  mask m(q, k) = q % (q - k) == 0\n"
            "                      ^~~~~ write max(1, ...)");
  EXPECT_THAT(errorOf("mask m(q, k) = q / 0 == k"), HasSubstr("local.mask:1:20: error: the divisor is 0"));
  EXPECT_EQ(errorOf("mask m(q, k; n: int 1..8) = q / n % -n == k"), "no error");
}

TEST(Diagnostics, IntegersBeyond64Bits) {
  EXPECT_THAT(
      errorOf("mask m(q, k) = q * q * q < k"),
      HasSubstr("local.mask:1:16: error: this integer can reach about 1.9e+25; all values of a mask fit in 64 bits"));
  EXPECT_EQ(errorOf("mask m(q, k) = q * q < k"), "no error");
  EXPECT_THAT(errorOf("mask m(q, k) = k < 2^63"), HasSubstr("2^63 does not fit in 64 bits"));
}

TEST(Diagnostics, Calls) {
  EXPECT_EQ(errorOf("mask a(q, k) = b(q, k)\nmask b(q, k) = a(q, k)"), "local.mask:2:16: error: mask 'a' calls itself\n"
                                                                       "  mask b(q, k) = a(q, k)\n"
                                                                       "                 ^ masks do not recurse\n"
                                                                       "local.mask:1:16: note: in this call of 'b'\n"
                                                                       "  mask a(q, k) = b(q, k)\n"
                                                                       "                 ^~~~~~~");
  EXPECT_THAT(errorOf("import \"causal\"\nmask m(q, k) = causal(q)"),
              HasSubstr("local.mask:2:16: error: mask 'causal' takes 2 coordinates, got 1"));
  EXPECT_THAT(errorOf("mask a(q, k; w: int 1..8) = q < w\nmask m(q, k) = a(q, k)"),
              HasSubstr("local.mask:2:16: error: parameter 'w' of 'a' is not given and has no default"));
  EXPECT_THAT(errorOf("mask a(q, k; w: int 1..8) = q < w\nmask m(q, k) = a(q, k; 9)"),
              HasSubstr("local.mask:2:24: error: this value is outside the range of 'w', 1..8"));
  EXPECT_THAT(errorOf("mask a(q, k; w: int 1..8) = q < w\nmask m(q, k) = a(q, k; 1, 2)"),
              HasSubstr("mask 'a' has 1 parameters, got more"));
  EXPECT_THAT(errorOf("mask a(q, k; w: int 1..8) = q < w\nmask m(q, k) = a(q, k; 1, w = 2)"),
              HasSubstr("parameter 'w' of 'a' is given twice"));
  EXPECT_THAT(errorOf("mask a(q, k; d[k] sorted: int 1..8) = q < d[k]\nmask m(q, k; e[k]: int 1..8) = a(q, k; e)"),
              HasSubstr("local.mask:2:40: error: array 'e' is not declared sorted, 'd' of 'a' is sorted"));
}

TEST(Diagnostics, ErrorInsideACallPointsToBoth) {
  EXPECT_EQ(errorOf("mask part(q, k; n: int -4..8) = q / (n + 4 + 1) == k\nmask m(q, k; n: int -9..9) = part(q, k; n)"),
            "local.mask:1:38: error: the divisor can be 0: it lies in -4..14\n"
            "  mask part(q, k; n: int -4..8) = q / (n + 4 + 1) == k\n"
            "                                       ^~~~~~~~~ write max(1, ...)\n"
            "local.mask:2:30: note: in this call of 'part'\n"
            "  mask m(q, k; n: int -9..9) = part(q, k; n)\n"
            "                               ^~~~~~~~~~~~~");
}

TEST(Diagnostics, Scores) {
  EXPECT_EQ(errorOf("import \"softcap\"\nmask m(q, k) = softcap(q, k) && k > 3"),
            "local.mask:2:16: error: mask 'softcap' has a score, which a call does not bring along\n"
            "  mask m(q, k) = softcap(q, k) && k > 3\n"
            "                 ^~~~~~~ state the score of 'm': score(s) = ...");
  EXPECT_EQ(errorOf("import \"softcap\"\nmask m(q, k) = softcap(q, k) && k > 3 score(s) = 2 * s"), "no error");
  EXPECT_THAT(errorOf("mask m(q, k) = k <= s score(s) = s"),
              HasSubstr("^ the score's own value exists in the score clause only"));
  EXPECT_THAT(errorOf("mask m(q, k) = tanh(k) > 0"), HasSubstr("'tanh' is a function of real numbers"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q score(s) = pow(s, s)"), HasSubstr("the exponent of 'pow' is a constant"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q score(s) = k <= q"),
              HasSubstr("expected a real number, got a truth value"));
  EXPECT_THAT(errorOf("mask m(q, k) = k <= q score(q) = q"), HasSubstr("'q' already names a coordinate"));
}

TEST(Diagnostics, LongLinesAreCutAroundTheCaret) {
  const std::string message = errorOf("mask m(q, k) = " + std::string(5000, ' ') + "k <= x" + std::string(5000, ' '));
  EXPECT_LT(message.size(), 600u);
  EXPECT_THAT(message, HasSubstr("local.mask:1:5021: error: unknown name 'x'"));
}

TEST_F(Imports, PathsAreRelativeToTheFile) {
  write("a.mask", "import \"parts/b.mask\"\nmask a(q, k) = b(q, k) && k > 2");
  write("parts/b.mask", "import \"c.mask\"\nmask b(q, k) = c(q, k)");
  write("parts/c.mask", "mask c(q, k) = k <= q");
  Result<Mask> mask = Mask::find(in("a.mask"));
  ASSERT_TRUE(mask) << mask.error().message;
  EXPECT_TRUE(MaskEvaluator::bind(*mask, {}, 1)->attends(0, 0, 3, 3));
  EXPECT_FALSE(MaskEvaluator::bind(*mask, {}, 1)->attends(0, 0, 3, 2));
}

TEST_F(Imports, CyclesAreRefused) {
  write("a.mask", "import \"b.mask\"\nmask a(q, k) = b(q, k)");
  write("b.mask", "import \"./a.mask\"\nmask b(q, k) = k <= q");
  EXPECT_THAT(findError(in("a.mask")), HasSubstr("b.mask:1:8: error: './a.mask' imports itself by way of this file"));
  write("self.mask", "import \"self.mask\"\nmask b(q, k) = k <= q");
  EXPECT_THAT(findError(in("self.mask")), HasSubstr("self.mask:1:8: error: 'self.mask' imports itself\n"));
}

TEST_F(Imports, FilesThatCannotBeRead) {
  write("a.mask", "import \"none.mask\"\nmask a(q, k) = k <= q");
  EXPECT_THAT(findError(in("a.mask")), HasSubstr("a.mask:1:8: error: there is no file '"));
  write("b.mask", "import \".\"\nmask a(q, k) = k <= q");
  EXPECT_THAT(findError(in("b.mask")), HasSubstr("b.mask:1:8: error: "));
  EXPECT_THAT(findError("/dev/null/x.mask"), HasSubstr("there is no file"));
  std::filesystem::create_directories(in("folder.mask"));
  EXPECT_THAT(findError(in("folder.mask")), HasSubstr("is not a regular file"));
}

TEST_F(Imports, ErrorsOfAnImportedFileAreShownThere) {
  write("a.mask", "import \"b.mask\"\nmask a(q, k) = b(q, k)");
  write("b.mask", "mask b(q, k) =\n  k <= p");
  EXPECT_THAT(findError(in("a.mask")), HasSubstr("b.mask:2:8: error: unknown name 'p'"));
}

TEST_F(References, PathsNamesAndStatics) {
  write("two.mask", "mask one(q, k; static n: int 1..9) = q % n == k\nmask two(q, k; w: int 1..9 = 3) = q < w");
  EXPECT_EQ(Mask::find(in("two.mask"))->name(), "two");
  EXPECT_EQ(Mask::find(in("two.mask") + ":one{n=4}")->name(), "one");
  EXPECT_TRUE(Mask::find(in("two.mask") + ":one{n=4}")->params().empty());
  EXPECT_THAT(findError(in("two.mask") + ":one"),
              HasSubstr("mask 'one' needs a value for its static parameter 'n': write one{n=1}"));
  EXPECT_THAT(findError(in("two.mask") + ":one{n=10}"), HasSubstr("parameter 'n' of mask 'one' lies in 1..9, got 10"));
  EXPECT_THAT(findError(in("two.mask") + ":three"), HasSubstr("has no mask 'three'; it has 'one' and 'two'"));
  EXPECT_THAT(findError("causal{n=1}"), HasSubstr("mask 'causal' has no parameter 'n'"));
  EXPECT_THAT(findError("chunked{chunk=x}"),
              HasSubstr("expected parameter=integer between the braces of 'chunked{chunk=x}', got 'chunk=x'"));
  EXPECT_THAT(findError("chunked{chunk=4"), HasSubstr("expected '}' at the end"));
  EXPECT_THAT(findError("gpt_oss_slidng"),
              HasSubstr("no mask 'gpt_oss_slidng' ships with maskjit; did you mean 'gpt_oss_sliding'?"));
  EXPECT_THAT(findError(""), HasSubstr("expected a mask"));
}

TEST(Digest, DependsOnStructureAlone) {
  auto digest = [](std::string_view text) {
    Result<Mask> mask = Mask::parse(text, "x.mask");
    return mask ? mask->digest() : mask.error().message;
  };
  const std::string base = digest("mask m(q, k; w: int 1..64 = 3, o: int 0..9) = 0 <= q + o - k < w");
  EXPECT_EQ(base.size(), 32u);
  EXPECT_EQ(base, digest("// comment\nmask other(q, k; width: int 1..64, off: int 0..9 = 1) =\n  let d = q + off - k; "
                         "d >= 0 && width > d"));
  EXPECT_EQ(base, digest("mask m(q, k; w: int 1..64 = 3, o: int 0..9) = let d = o + q - k; d < w && 0 <= d"));
  EXPECT_NE(base, digest("mask m(q, k; o: int 0..9, w: int 1..64 = 3) = 0 <= q + o - k < w"))
      << "the order of parameters is structure";
  EXPECT_NE(base, digest("mask m(q, k; w: int 1..65 = 3, o: int 0..9) = 0 <= q + o - k < w")) << "so are their ranges";
  EXPECT_NE(base, digest("mask m(q, k; w: int 1..64 = 3, o: int 0..9) = 0 <= q + o - k <= w"));
  EXPECT_NE(base, digest("mask m(q, k; w: int 1..64 = 3, o: int 0..9) = 0 <= q + o - k < w score(s) = 2 * s"));
}
