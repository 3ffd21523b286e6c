// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask built in C++ has the structure of the same mask written as text.
#include "compiler/frontend/MaskBuilder.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;

namespace {

/// Both made without an error, of equal structure.
void expectSame(const Result<Mask> &built, std::string_view text) {
  Result<Mask> parsed = Mask::parse(text, "text.mask");
  ASSERT_TRUE(built) << built.error().message;
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(built->digest(), parsed->digest()) << built->ir(false) << parsed->ir(false);
}

std::string errorOf(const Result<Mask> &mask) { return mask ? "" : mask.error().message; }

} // namespace

TEST(MaskBuilder, Window) {
  MaskBuilder m("window");
  auto q = m.q(), k = m.k(), w = m.scalar("window", 1, 4096, 128);
  m.attend(0 <= q - k && q - k < w);
  expectSame(m.build(), "mask window(q, k; window: int 1..4096 = 128) = 0 <= q - k < window");
}

TEST(MaskBuilder, EveryOperator) {
  MaskBuilder m("all");
  auto h = m.h(), q = m.q(), k = m.k();
  auto n = m.staticScalar("n", 1, 8, 2), o = m.scalar("o", -5, 5);
  auto d = m.sortedArray("d", Axis::Key, 0, 100, 0);
  auto a = m.array("a", Axis::Head, 0, 9);
  m.attend(!(q * n / 3 % n == k) || (d[q] != d[k] && a[h] > o) || min(q, k) - max(q, 2) >= -abs(o) || q + 1 > k);
  expectSame(m.build(),
             "mask all(h, q, k; static n: int 1..8 = 2, o: int -5..5, d[k] sorted: int 0..100 = 0, a[h]: int 0..9) ="
             "  !(q * n / 3 % n == k) || d[q] != d[k] && a[h] > o || min(q, k) - max(q, 2) >= -abs(o) || q + 1 > k");
}

TEST(MaskBuilder, Score) {
  MaskBuilder m("capped");
  auto q = m.q(), k = m.k(), cap = m.real("cap", 30.0);
  m.attend(k <= q);
  m.score([&](MaskExpr s) { return cap * tanh(s / cap) + exp(-1.0 * (q - k)) * sqrt(log(pow(s, 2) + 1.0)); });
  expectSame(m.build(), "mask capped(q, k; cap: float = 30.0) = k <= q\n"
                        "score(s) = cap * tanh(s / cap) + exp(-1.0 * (q - k)) * sqrt(log(pow(s, 2) + 1.0))");
}

TEST(MaskBuilder, CallsOtherMasks) {
  Result<Mask> window = Mask::find("sliding_window"), chunked = Mask::find("chunked{chunk=16}");
  ASSERT_TRUE(window && chunked);
  MaskBuilder m("both");
  auto q = m.q(), k = m.k(), w = m.scalar("w", 1, 64);
  m.attend(m.call(*window, {q, k}, {{"window", w}}) && m.call(*chunked, {q, k}));
  expectSame(m.build(), "import \"sliding_window\"\nimport \"chunked\"\n"
                        "mask both(q, k; w: int 1..64) = sliding_window(q, k; w) && chunked(q, k; chunk = 16)");
}

TEST(MaskBuilder, SharedExpressionsAreComputedOnce) {
  MaskBuilder m("doubling");
  auto q = m.q(), k = m.k();
  MaskExpr x = q - k;
  for (int i = 0; i < 30; ++i) // 2^30 terms as text
    x = min(x + 1, x - 1);
  m.attend(x < 0);
  Result<Mask> mask = m.build();
  ASSERT_TRUE(mask) << mask.error().message;
  EXPECT_TRUE(MaskEvaluator::bind(*mask, {}, 1)->attends(0, 0, 29, 0));
  EXPECT_FALSE(MaskEvaluator::bind(*mask, {}, 1)->attends(0, 0, 30, 0));
}

TEST(MaskBuilder, SpecializesLikeText) {
  MaskBuilder m("mod");
  auto q = m.q(), k = m.k(), n = m.staticScalar("n", 1, 64);
  m.attend((q - k) % n == 0);
  Result<Mask> built = m.build();
  ASSERT_TRUE(built) << built.error().message;
  expectSame(built->specialize({{"n", 4}}), "mask mod(q, k) = (q - k) % 4 == 0");
}

TEST(MaskBuilder, Mistakes) {
  MaskBuilder nothing("m");
  EXPECT_EQ(errorOf(nothing.build()), "mask 'm': error: nothing says what it attends; call attend(...)");

  MaskBuilder integer("m");
  integer.attend(integer.q() - integer.k());
  EXPECT_EQ(errorOf(integer.build()),
            "mask 'm': error: expected a truth value, got an integer; compare it, as in x != 0");

  MaskBuilder other("other"), mixed("m");
  mixed.attend(other.q() < mixed.k());
  EXPECT_NE(errorOf(mixed.build()), "");

  MaskBuilder twice("m");
  auto w = twice.scalar("w", 0, 4);
  twice.scalar("w", 0, 4);
  twice.attend(twice.q() < w);
  EXPECT_EQ(errorOf(twice.build()), "mask 'm': error: parameter 'w' is declared twice");

  MaskBuilder divisor("m");
  divisor.attend(divisor.q() / divisor.scalar("n", 0, 4) == divisor.k());
  EXPECT_EQ(errorOf(divisor.build()), "mask 'm': error: the divisor can be 0: it lies in 0..4; declare n: int 1..4");

  MaskBuilder name("let");
  name.attend(name.q() < name.k());
  EXPECT_THAT(errorOf(name.build()), HasSubstr("that is no word of the language"));

  MaskBuilder deep("deep");
  MaskExpr x = deep.q();
  for (int i = 0; i < 100000; ++i)
    x = x + i;
  deep.attend(x < deep.k());
  EXPECT_THAT(errorOf(deep.build()), HasSubstr("more than 2000 levels of nesting"));
}
