// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random masks, each written as text and computed by the test itself while it writes: text, emission, folding, sharing
// and interpreter together give what the text says.
#include "compiler/Compiler.h"
#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace maskjit;

namespace {

/// The values of b, h, q, k and of the parameters at one point.
struct Point {
  int64_t b, h, q, k, w, o;
  std::vector<int32_t> d;
};
template <class T> struct Term {
  std::string text;
  std::function<T(const Point &)> value;
};
using Integer = Term<int64_t>;
using Truth = Term<bool>;

int64_t floorDiv(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  while (quotient * b > a && b > 0)
    --quotient;
  while (quotient * b < a && b < 0)
    --quotient;
  return quotient;
}

class Generator {
public:
  explicit Generator(unsigned seed) : random(seed) {}

  Integer integer(int depth) {
    const auto leaf = [](std::string text, auto value) { return Integer{std::move(text), value}; };
    switch (depth == 0 ? pick(7) : pick(16)) {
    case 0:
      return leaf("q", [](const Point &p) { return p.q; });
    case 1:
      return leaf("k", [](const Point &p) { return p.k; });
    case 2:
      return leaf("h", [](const Point &p) { return p.h; });
    case 3:
      return leaf("b", [](const Point &p) { return p.b; });
    case 4:
      return leaf("w", [](const Point &p) { return p.w; });
    case 5:
      return leaf("o", [](const Point &p) { return p.o; });
    case 6: {
      const int64_t n = pick(20);
      return leaf(std::to_string(n), [n](const Point &) { return n; });
    }
    case 7:
      return join(" + ", depth, [](int64_t x, int64_t y) { return x + y; });
    case 8:
      return join(" - ", depth, [](int64_t x, int64_t y) { return x - y; });
    case 9:
      return join(" * ", depth, [](int64_t x, int64_t y) { return x * y; });
    case 10:
    case 11: {
      const Integer a = integer(depth - 1);
      const int64_t n = (1 + pick(9)) * (pick(4) == 0 ? -1 : 1);
      const bool divide = pick(2) == 0;
      return {"(" + a.text + ")" + (divide ? " / " : " % ") + "(" + std::to_string(n) + ")", [=](const Point &p) {
                return divide ? floorDiv(a.value(p), n) : a.value(p) - n * floorDiv(a.value(p), n);
              }};
    }
    case 12:
    case 13: {
      const Integer a = integer(depth - 1), b = integer(depth - 1);
      const bool least = pick(2) == 0;
      return {std::string(least ? "min(" : "max(") + a.text + ", " + b.text + ")", [=](const Point &p) {
                return least ? std::min(a.value(p), b.value(p)) : std::max(a.value(p), b.value(p));
              }};
    }
    case 14: {
      const Integer a = integer(depth - 1);
      return {"abs(-(" + a.text + "))", [=](const Point &p) { return std::abs(a.value(p)); }};
    }
    default: {
      const Integer a = integer(depth - 1);
      return {"d[" + a.text + "]", [=](const Point &p) {
                return int64_t(p.d[std::clamp<int64_t>(a.value(p), 0, static_cast<int64_t>(p.d.size()) - 1)]);
              }};
    }
    }
  }

  Truth truth(int depth) {
    switch (depth == 0 ? pick(3) : pick(7)) {
    case 0:
      return compare(" <= ", depth, [](int64_t x, int64_t y) { return x <= y; });
    case 1:
      return compare(" > ", depth, [](int64_t x, int64_t y) { return x > y; });
    case 2:
      return compare(" == ", depth, [](int64_t x, int64_t y) { return x == y; });
    case 3: {
      const Truth a = truth(depth - 1), b = truth(depth - 1);
      return {"(" + a.text + ") && (" + b.text + ")", [=](const Point &p) { return a.value(p) && b.value(p); }};
    }
    case 4: {
      const Truth a = truth(depth - 1), b = truth(depth - 1);
      return {"(" + a.text + ") || (" + b.text + ")", [=](const Point &p) { return a.value(p) || b.value(p); }};
    }
    case 5: {
      const Truth a = truth(depth - 1);
      return {"!(" + a.text + ")", [=](const Point &p) { return !a.value(p); }};
    }
    default: {
      const Integer a = integer(depth - 1), b = integer(depth - 1), c = integer(depth - 1);
      return {a.text + " <= " + b.text + " < " + c.text,
              [=](const Point &p) { return a.value(p) <= b.value(p) && b.value(p) < c.value(p); }};
    }
    }
  }

  int64_t pick(int64_t below) { return static_cast<int64_t>(random() % static_cast<uint64_t>(below)); }

private:
  Integer join(const char *op, int depth, int64_t (*compute)(int64_t, int64_t)) {
    const Integer a = integer(depth - 1), b = integer(depth - 1);
    return {"(" + a.text + ")" + op + "(" + b.text + ")",
            [=](const Point &p) { return compute(a.value(p), b.value(p)); }};
  }
  Truth compare(const char *op, int depth, bool (*compute)(int64_t, int64_t)) {
    const Integer a = integer(std::max(depth - 1, 0)), b = integer(std::max(depth - 1, 0));
    return {a.text + op + b.text, [=](const Point &p) { return compute(a.value(p), b.value(p)); }};
  }

  std::mt19937 random;
};

} // namespace

TEST(RandomExpressions, MeanWhatTheTextSays) {
  const unsigned seed = 20261126;
  Generator generator(seed);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const Truth predicate = generator.truth(4);
    const std::string text = "mask m(b, h, q, k; w: int 1..64, o: int -64..64, d[k]: int 0..64) = " + predicate.text;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round) + ": " + text);
    Result<Mask> mask = Mask::parse(text, "random.mask");
    if (!mask) { // products of positions soon leave 64 bits
      ASSERT_NE(mask.error().message.find("fit in 64 bits"), std::string::npos) << mask.error().message;
      ++refused;
      continue;
    }
    for (int i = 0; i < 10; ++i) {
      Point p{generator.pick(3),
              generator.pick(4),
              generator.pick(40),
              generator.pick(40),
              1 + generator.pick(64),
              generator.pick(129) - 64,
              {}};
      for (int64_t n = 1 + generator.pick(9); n > 0; --n)
        p.d.push_back(static_cast<int32_t>(generator.pick(65)));
      const int32_t w = static_cast<int32_t>(p.w), o = static_cast<int32_t>(p.o);
      Result<MaskEvaluator> evaluator =
          MaskEvaluator::bind(*mask, {{&w, 0, 1}, {&o, 0, 1}, {p.d.data(), 0, static_cast<int64_t>(p.d.size())}}, 3);
      ASSERT_TRUE(evaluator) << evaluator.error().message;
      ASSERT_EQ(evaluator->attends(p.b, p.h, p.q, p.k), predicate.value(p)) << mask->ir(false);
    }
  }
  EXPECT_LT(refused, 1500);
}
