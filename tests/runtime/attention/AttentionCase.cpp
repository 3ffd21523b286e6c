// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of a call, and the reference.
#include "tests/runtime/attention/AttentionCase.h"
#include "runtime/attention/CudaFromHost.h"
#include <gtest/gtest.h>

namespace maskjit::test {

AttentionCase::AttentionCase(Mask mask, DType dtype, int64_t batch, int64_t headsQ, int64_t headsKv, int64_t lenQ,
                             int64_t lenK, int64_t headDim, int64_t gap, bool seqFirst)
    : mask(std::move(mask)), dtype(dtype), batch(batch), headsQ(headsQ), headsKv(headsKv), lenQ(lenQ), lenK(lenK),
      headDim(headDim), scale(float(1 / std::sqrt(double(headDim)))) {
  for (HostTensor *t : {&q, &out, &dout, &dq})
    *t = HostTensor(dtype, batch, headsQ, lenQ, headDim, gap, seqFirst);
  for (HostTensor *t : {&k, &v, &dk, &dv})
    *t = HostTensor(dtype, batch, headsKv, lenK, headDim, gap, seqFirst);
  lse.assign(batch * headsQ * lenQ, NAN);
}

void AttentionCase::fillNormal(uint64_t seed) {
  std::mt19937_64 random(seed);
  for (HostTensor *t : {&q, &k, &v, &dout})
    t->fillNormal(random);
}

void AttentionCase::setParam(const std::string &name, std::vector<int32_t> values) {
  integers[name] = std::move(values);
}
void AttentionCase::setParam(const std::string &name, std::vector<float> values) { floats[name] = std::move(values); }

std::vector<ParamValues> AttentionCase::paramValues() const {
  std::vector<ParamValues> all;
  auto describe = [&](const ParamInfo &info, const auto &values) {
    const int64_t count = values.size();
    if (info.axis == Axis::None)
      return ParamValues{values.data(), count > 1 ? 1 : 0, 1};
    // All sequences share an array unless there is one for each.
    const int64_t along = info.axis == Axis::Key     ? lenK
                          : info.axis == Axis::Query ? lenQ
                          : info.axis == Axis::Head  ? headsQ
                                                     : count;
    const bool perSequence = batch > 1 && count == batch * along;
    return ParamValues{values.data(), perSequence ? along : 0, perSequence ? along : count};
  };
  for (const ParamInfo &info : mask.params())
    all.push_back(info.isFloat ? describe(info, floats.at(info.name)) : describe(info, integers.at(info.name)));
  return all;
}

AttentionArgs AttentionCase::args() {
  for (const ParamInfo &info : mask.params())
    if (!integers.count(info.name) && !floats.count(info.name)) {
      EXPECT_TRUE(info.defaultValue) << info.name;
      info.isFloat ? setParam(info.name, std::vector<float>{float(*info.defaultValue)})
                   : setParam(info.name, std::vector<int32_t>{int32_t(*info.defaultValue)});
    }
  AttentionArgs args;
  args.dtype = dtype, args.batch = batch, args.headsQ = headsQ, args.headsKv = headsKv, args.lenQ = lenQ,
  args.lenK = lenK;
  args.headDim = headDim, args.scale = scale;
  args.q = q.view, args.k = k.view, args.v = v.view, args.out = out.view, args.lse = lse.data();
  args.dout = dout.view, args.dq = dq.view, args.dk = dk.view, args.dv = dv.view;
  if (!sinks.empty()) {
    dsinks.assign(headsQ, NAN);
    args.sinks = sinks.data(), args.dsinks = dsinks.data();
  }
  args.kvLen = kvLen.empty() ? nullptr : kvLen.data();
  args.params = paramValues();
  return args;
}

void AttentionCase::forward(int threads) {
  Result<void> done =
      target == Target::Cpu ? attentionForwardCpu(mask, args(), threads) : attentionForwardCudaFromHost(mask, args());
  ASSERT_TRUE(done) << done.error().message;
}

void AttentionCase::backward(int threads) {
  Result<void> done =
      target == Target::Cpu ? attentionBackwardCpu(mask, args(), threads) : attentionBackwardCudaFromHost(mask, args());
  ASSERT_TRUE(done) << done.error().message;
}

Gradients AttentionCase::reference(const Score &score, const Score &scoreGrad) const {
  auto evaluator = MaskEvaluator::bind(mask, paramValues(), batch);
  EXPECT_TRUE(evaluator) << evaluator.error().message;
  const int64_t group = headsQ / headsKv;
  Gradients g;
  g.out.assign(batch * headsQ * lenQ * headDim, 0), g.dq = g.out;
  g.dk.assign(batch * headsKv * lenK * headDim, 0), g.dv = g.dk;
  g.dsinks.assign(sinks.size(), 0);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < headsQ; ++h)
      for (int64_t i = 0; i < lenQ; ++i) {
        const int64_t count = kvLen.empty() ? lenK : kvLen[b], row = ((b * headsQ + h) * lenQ + i) * headDim;
        auto keyRow = [&](int64_t j) { return ((b * headsKv + h / group) * lenK + j) * headDim; };
        std::vector<double> p(count, -INFINITY), plain(count, 0);
        double most = sinks.empty() ? -INFINITY : sinks[h];
        for (int64_t j = 0; j < count; ++j) {
          if (!evaluator->attends(b, h, i, j))
            continue;
          for (int64_t d = 0; d < headDim; ++d)
            plain[j] += double(q.get(b, h, i, d)) * k.get(b, h / group, j, d);
          plain[j] *= scale;
          p[j] = score             ? score(plain[j], b, h, i, j)
                 : mask.hasScore() ? evaluator->score(float(plain[j]), b, h, i, j)
                                   : plain[j];
          most = std::max(most, p[j]);
        }
        if (most == -INFINITY) {
          g.lse.push_back(-INFINITY);
          continue;
        }
        double sum = sinks.empty() ? 0 : std::exp(sinks[h] - most);
        for (double &x : p)
          sum += x = std::exp(x - most);
        g.lse.push_back(most + std::log(sum));
        double delta = 0;
        std::vector<double> dp(count, 0);
        for (int64_t j = 0; j < count; ++j) {
          p[j] /= sum;
          if (p[j] == 0)
            continue;
          for (int64_t d = 0; d < headDim; ++d) {
            g.out[row + d] += p[j] * v.get(b, h / group, j, d);
            dp[j] += double(dout.get(b, h, i, d)) * v.get(b, h / group, j, d);
          }
          delta += p[j] * dp[j];
        }
        for (int64_t j = 0; j < count; ++j) {
          if (p[j] == 0)
            continue;
          const double ds = p[j] * (dp[j] - delta) * scale * (scoreGrad ? scoreGrad(plain[j], b, h, i, j) : 1.0);
          for (int64_t d = 0; d < headDim; ++d) {
            g.dq[row + d] += ds * k.get(b, h / group, j, d);
            g.dk[keyRow(j) + d] += ds * q.get(b, h, i, d);
            g.dv[keyRow(j) + d] += p[j] * dout.get(b, h, i, d);
          }
        }
        if (!sinks.empty())
          g.dsinks[h] -= std::exp(sinks[h] - g.lse.back()) * delta;
      }
  return g;
}

double worstError(const std::vector<float> &got, const std::vector<double> &want) {
  EXPECT_EQ(got.size(), want.size());
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (double(got[i]) == want[i])
      continue; // equal infinities
    const double error = std::fabs(got[i] - want[i]) / (1 + std::fabs(want[i]));
    worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
  }
  return worst;
}

double worstDifference(const std::vector<float> &got, const std::vector<double> &want) {
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i)
    if (double(got[i]) != want[i]) {
      const double difference = std::fabs(got[i] - want[i]);
      worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
    }
  return worst;
}

double relativeNorm(const std::vector<float> &got, const std::vector<double> &want) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i)
    difference += (got[i] - want[i]) * (got[i] - want[i]), norm += want[i] * want[i];
  return norm > 0 ? std::sqrt(difference / norm) : difference;
}

} // namespace maskjit::test
