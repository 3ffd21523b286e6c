// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random shapes, strides and parameters on the CPU against loops in fp64 over the interpreter.
#include "tests/runtime/attention/AttentionCase.h"
#include <gtest/gtest.h>

namespace maskjit::test {
namespace {

using Random = std::mt19937_64;
int64_t draw(Random &random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}
template <class T> T oneOf(Random &random, std::initializer_list<T> list) {
  return list.begin()[draw(random, 0, list.size() - 1)];
}

/// Values near the lengths of the case, where borders are; of arrays, ascending if they must.
void drawParams(AttentionCase &c, Random &random) {
  for (const ParamInfo &info : c.mask.params()) {
    if (info.isFloat) {
      c.setParam(info.name, std::vector<float>{float(draw(random, 1, 40)) / 2});
      continue;
    }
    const bool array = info.axis != Axis::None, perSequence = draw(random, 0, 1);
    const int64_t along = info.axis == Axis::Key     ? c.lenK
                          : info.axis == Axis::Query ? c.lenQ
                          : info.axis == Axis::Head  ? c.headsQ
                                                     : 1;
    std::vector<int32_t> values(along * (perSequence ? c.batch : 1));
    for (int64_t i = 0; i < int64_t(values.size()); ++i) {
      const int64_t most = array ? 3 : c.lenK + 2;
      values[i] = int32_t(std::clamp(draw(random, 0, most), info.min, info.max));
      if (info.isSorted && i % along != 0)
        values[i] = values[i - 1] + int32_t(draw(random, 0, 9) == 0);
    }
    c.setParam(info.name, values);
  }
}

void expectReference(AttentionCase &c, double tolerance) {
  const Gradients want = c.reference();
  EXPECT_LE(worstError(c.out.values(), want.out), tolerance) << "out";
  EXPECT_LE(worstError(c.lse, want.lse), tolerance) << "lse";
  EXPECT_LE(worstError(c.dq.values(), want.dq), tolerance) << "dq";
  EXPECT_LE(worstError(c.dk.values(), want.dk), tolerance) << "dk";
  EXPECT_LE(worstError(c.dv.values(), want.dv), tolerance) << "dv";
  if (!c.sinks.empty())
    EXPECT_LE(worstError(c.dsinks, want.dsinks), tolerance) << "dsinks";
}

Mask parsed(const char *text) {
  auto mask = Mask::parse(text, "test.mask");
  EXPECT_TRUE(mask) << mask.error().message;
  return *mask;
}
Mask found(const char *reference) {
  auto mask = Mask::find(reference);
  EXPECT_TRUE(mask) << mask.error().message;
  return *mask;
}

/// Masks whose derivations take every way: exact ranges, unions, remainders, sorted arrays, arrays that nothing is
/// known of, heads.
std::vector<Mask> masks() {
  return {found("gpt_oss_sliding"),
          found("packed_window"),
          found("prefix_lm"),
          found("dilated{stride=3}"),
          parsed("mask heads(h, q, k; reach[h]: int 0..2^28) = -2 * h <= q - k < reach[h]"),
          parsed("mask table(q, k; seen[k]: int 0..3, w: int 1..2^28) = seen[k] != 2 && (k % w == 0 || k > q)")};
}

TEST(AttentionRandom, MatchesLoopsOverTheInterpreter) {
  const uint64_t seed = 20260311;
  Random random(seed);
  int index = 0, first = 0; // two head dims a mask: compiling takes longer than computing
  for (const Mask &mask : masks()) {
    ++first;
    for (int repeat = 0; repeat < 6; ++repeat) {
      const int64_t dim = std::array{32, 64, 96, 128, 256}[(first + repeat % 2) % 5];
      ++index;
      const int64_t headsKv = draw(random, 1, 2), group = oneOf(random, {1, 2, 3, 5, 8});
      AttentionCase c(mask, DType::F32, draw(random, 1, 3), headsKv * group, headsKv, draw(random, 1, 150),
                      draw(random, 1, 150), dim, draw(random, 0, 3), draw(random, 0, 1));
      c.fillNormal(seed + index);
      if (draw(random, 0, 1))
        for (int64_t h = 0; h < c.headsQ; ++h)
          c.sinks.push_back(float(draw(random, -20, 20)) / 10);
      if (draw(random, 0, 1))
        for (int64_t b = 0; b < c.batch; ++b)
          c.kvLen.push_back(int32_t(draw(random, 0, c.lenK)));
      drawParams(c, random);
      SCOPED_TRACE(mask.name() + ", case " + std::to_string(index) + " of seed " + std::to_string(seed));
      c.forward();
      c.backward();
      expectReference(c, 4e-5); // up to 1,200 terms a sum, of head dim 256
    }
  }
}

TEST(AttentionRandom, KeysBeyondTheLengthAreNeverRead) {
  AttentionCase c(found("causal"), DType::F32, 2, 4, 2, 70, 70, 64);
  c.fillNormal(3);
  c.kvLen = {69, 33};
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t s = c.kvLen[b]; s < 70; ++s)
        for (int64_t d = 0; d < 64; ++d)
          for (HostTensor *t : {&c.k, &c.v})
            t->set(b, h, s, d, NAN);
  c.forward();
  c.backward();
  expectReference(c, 2e-6);
}

TEST(AttentionRandom, NoKeysAtAll) {
  AttentionCase c(found("causal"), DType::F32, 2, 2, 1, 5, 0, 32);
  c.fillNormal(4);
  c.sinks = {0.5f, -1.f};
  c.forward();
  c.backward();
  expectReference(c, 0);
}

// ---- a row's result does not depend on what is computed beside it ----

TEST(AttentionRows, DecodeGivesThePrefillsBits) {
  AttentionCase all(found("gpt_oss_sliding"), DType::BF16, 2, 8, 2, 150, 150, 64);
  all.fillNormal(5);
  all.sinks = {1, 2, 3, 4, -1, -2, -3, -4};
  all.setParam("left_pad", std::vector<int32_t>{0, 17});
  all.setParam("window", std::vector<int32_t>{50});
  all.forward();
  for (int64_t position : {0, 1, 63, 64, 100, 149}) {
    AttentionCase one(all.mask, DType::BF16, 2, 8, 2, 1, 150, 64);
    one.sinks = all.sinks;
    one.k = std::move(all.k), one.v = std::move(all.v);
    one.setParam("left_pad", std::vector<int32_t>{0, 17});
    one.setParam("window", std::vector<int32_t>{50});
    one.setParam("q_offset", std::vector<int32_t>{int32_t(position)});
    one.kvLen.assign(2, int32_t(position + 1));
    one.q.forEach(
        [&](int64_t b, int64_t h, int64_t, int64_t d) { one.q.set(b, h, 0, d, all.q.get(b, h, position, d)); });
    one.forward();
    one.out.forEach([&](int64_t b, int64_t h, int64_t, int64_t d) {
      ASSERT_EQ(one.out.get(b, h, 0, d), all.out.get(b, h, position, d))
          << b << " " << h << " " << position << " " << d;
    });
    for (int64_t row = 0; row < 16; ++row)
      ASSERT_EQ(one.lse[row], all.lse[row * 150 + position]);
    all.k = std::move(one.k), all.v = std::move(one.v);
  }
}

TEST(AttentionRows, BatchAndThreadsChangeNoBit) {
  AttentionCase all(found("causal"), DType::F32, 3, 4, 2, 90, 90, 32);
  all.fillNormal(6);
  all.sinks = {0.1f, 0.2f, 0.3f, 0.4f};
  all.forward(1);
  all.backward(1);
  const auto out = all.out.values(), dq = all.dq.values(), dk = all.dk.values(), dv = all.dv.values(), lse = all.lse,
             dsinks = all.dsinks;
  all.forward();
  all.backward();
  EXPECT_EQ(out, all.out.values());
  EXPECT_EQ(dq, all.dq.values());
  EXPECT_EQ(dk, all.dk.values());
  EXPECT_EQ(dv, all.dv.values());
  EXPECT_EQ(dsinks, all.dsinks);

  AttentionCase one(all.mask, DType::F32, 1, 4, 2, 90, 90, 32);
  for (auto [to, from] : {std::pair{&one.q, &all.q}, {&one.k, &all.k}, {&one.v, &all.v}, {&one.dout, &all.dout}})
    to->forEach([&, to = to, from = from](int64_t, int64_t h, int64_t s, int64_t d) {
      to->set(0, h, s, d, from->get(2, h, s, d));
    });
  one.sinks = all.sinks;
  one.forward();
  one.backward();
  auto last = [](const std::vector<float> &of, const std::vector<float> &from) {
    return std::equal(of.begin(), of.end(), from.end() - of.size());
  };
  EXPECT_TRUE(last(one.out.values(), out));
  EXPECT_TRUE(last(one.dq.values(), dq));
  EXPECT_TRUE(last(one.dk.values(), dk));
  EXPECT_TRUE(last(one.dv.values(), dv));
  EXPECT_TRUE(last(one.lse, lse));
}

TEST(AttentionRows, PagesGiveTheBitsOfContiguousKeys) {
  const int64_t pageSize = 16, length = 70, pagesEach = 5;
  AttentionCase c(found("gpt_oss_full"), DType::F16, 2, 4, 2, 3, length, 64);
  c.fillNormal(7);
  c.kvLen = {70, 40};
  c.setParam("q_offset", std::vector<int32_t>{67, 37});
  c.forward();
  const auto out = c.out.values(), lse = c.lse;

  HostTensor k(DType::F16, 2 * pagesEach, 2, pageSize, 64), v(DType::F16, 2 * pagesEach, 2, pageSize, 64);
  std::vector<int32_t> table{3, 9, 0, 7, 5, 8, 1, 6, 2, 4};
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t s = 0; s < c.kvLen[b]; ++s)
      for (int64_t h = 0; h < 2; ++h)
        for (int64_t d = 0; d < 64; ++d) {
          k.set(table[b * pagesEach + s / pageSize], h, s % pageSize, d, c.k.get(b, h, s, d));
          v.set(table[b * pagesEach + s / pageSize], h, s % pageSize, d, c.v.get(b, h, s, d));
        }
  AttentionArgs args = c.args();
  args.k = k.view, args.v = v.view;
  args.pages = {table.data(), pagesEach, pageSize};
  args.lenK = pagesEach * pageSize;
  Result<void> done = attentionForwardCpu(c.mask, args);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(out, c.out.values());
  EXPECT_EQ(lse, c.lse);
}

} // namespace
} // namespace maskjit::test
