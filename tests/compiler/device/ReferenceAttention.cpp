// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ReferenceAttention.h"
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

namespace maskjit::test {

namespace {
uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
double rounded(DType dtype, double value) { return valueOf(dtype, roundTo(dtype, float(value))); }
} // namespace

uint16_t roundTo(DType dtype, float value) {
  if (dtype == DType::BF16) {
    const uint32_t bits = bitsOf(value);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  const _Float16 half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}
float valueOf(DType dtype, uint16_t bits) {
  if (dtype == DType::BF16)
    return fromBits(uint32_t(bits) << 16);
  _Float16 half;
  std::memcpy(&half, &bits, 2);
  return float(half);
}

AttentionResult referenceAttention(const AttentionProblem &p, bool backward, bool roundings) {
  const double infinity = std::numeric_limits<double>::infinity();
  const int d = p.headDim, group = p.headsQ / p.headsKv;
  AttentionResult r;
  r.out.resize(size_t(p.batch) * p.headsQ * p.lenQ * d);
  r.lse.resize(size_t(p.batch) * p.headsQ * p.lenQ);
  if (backward) {
    r.dq.resize(r.out.size());
    r.dk.resize(size_t(p.batch) * p.headsKv * p.lenK * d);
    r.dv.resize(r.dk.size());
    r.dsinks.resize(p.headsQ);
  }
  auto round = [&](double x) { return roundings ? rounded(p.dtype, x) : x; };
  std::vector<double> dsinkParts(size_t(p.batch) * p.headsQ);

  /// All query heads of one key head of one sequence.
  auto work = [&](int b, int kvHead) {
    const size_t keyBase = (size_t(b) * p.headsKv + kvHead) * p.lenK * d;
    const float *k = p.k.data() + keyBase, *v = p.v.data() + keyBase;
    const int keys = p.kvLen.empty() ? p.lenK : std::min(p.kvLen[b], p.lenK);
    std::vector<double> s(p.lenK), raw(p.lenK);
    for (int h = kvHead * group; h < (kvHead + 1) * group; ++h)
      for (int i = 0; i < p.lenQ; ++i) {
        const size_t row = (size_t(b) * p.headsQ + h) * p.lenQ + i;
        const float *q = p.q.data() + row * d;
        const double sink = p.sinks.empty() ? -infinity : p.sinks[h];
        double top = -infinity;
        std::vector<int> attended;
        for (int j = 0; j < keys; ++j) {
          if (!p.mask->attends(p.values, b, h, i, j))
            continue;
          double dot = 0;
          for (int c = 0; c < d; ++c)
            dot += double(q[c]) * k[size_t(j) * d + c];
          raw[j] = dot * p.scale;
          s[j] = p.mask->score ? p.mask->score(raw[j], b, h, i, j) : raw[j];
          top = std::max(top, s[j]);
          attended.push_back(j);
        }
        const double base = std::max(top, sink);
        double sum = sink == -infinity ? 0 : std::exp(sink - base);
        std::vector<double> out(d);
        for (int j : attended) {
          const double weight = std::exp(s[j] - top), factor = std::exp(top - base);
          sum += weight * factor;
          for (int c = 0; c < d; ++c)
            out[c] += round(weight) * factor * v[size_t(j) * d + c];
        }
        const double lse = sum > 0 ? base + std::log(sum) : -infinity;
        for (int c = 0; c < d; ++c)
          r.out[row * d + c] = round(sum > 0 ? out[c] / sum : 0);
        r.lse[row] = lse;
        if (!backward)
          continue;
        const float *dout = p.dout.data() + row * d;
        double rowSum = 0;
        if (!attended.empty())
          for (int c = 0; c < d; ++c)
            rowSum += dout[c] * r.out[row * d + c];
        if (sink != -infinity)
          dsinkParts[size_t(b) * p.headsQ + h] -= std::exp(sink - lse) * rowSum;
        for (int j : attended) {
          double dp = 0;
          for (int c = 0; c < d; ++c)
            dp += double(dout[c]) * v[size_t(j) * d + c];
          const double weight = std::exp(s[j] - lse);
          const double slope = p.mask->scoreGrad ? p.mask->scoreGrad(raw[j], b, h, i, j) : 1;
          const double ds = round(weight * (dp - rowSum) * slope), probability = round(weight);
          for (int c = 0; c < d; ++c) {
            r.dq[row * d + c] += ds * p.scale * k[size_t(j) * d + c];
            r.dk[keyBase + size_t(j) * d + c] += ds * p.scale * q[c];
            r.dv[keyBase + size_t(j) * d + c] += probability * dout[c];
          }
        }
      }
  };
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
    threads.emplace_back([&] {
      for (int i; (i = next++) < p.batch * p.headsKv;)
        work(i / p.headsKv, i % p.headsKv);
    });
  for (std::thread &thread : threads)
    thread.join();
  if (backward)
    for (size_t i = 0; i < dsinkParts.size(); ++i)
      r.dsinks[i % p.headsQ] += dsinkParts[i];
  for (std::vector<double> *x : {&r.dq, &r.dk, &r.dv})
    for (double &value : *x)
      value = round(value);
  return r;
}

} // namespace maskjit::test
