// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One call of attention with all its memory, and what it should give: plain loops in fp64 over the interpreter.
#pragma once
#include "tests/runtime/attention/HostTensor.h"
#include <functional>

namespace maskjit::test {

/// Row-major, as the tensors of the call.
struct Gradients {
  std::vector<double> out, lse, dq, dk, dv, dsinks;
};

enum class Target { Cpu, Cuda };

struct AttentionCase {
  AttentionCase(Mask mask, DType dtype, int64_t batch, int64_t headsQ, int64_t headsKv, int64_t lenQ, int64_t lenK,
                int64_t headDim, int64_t gap = 0, bool seqFirst = false);

  void fillNormal(uint64_t seed);
  /// Values of a parameter: one sequence's, or those of all sequences one after the other.
  void setParam(const std::string &name, std::vector<int32_t> values);
  void setParam(const std::string &name, std::vector<float> values);

  /// Runs the target. A failure fails the test.
  void forward(int threads = 0);
  void backward(int threads = 0);
  AttentionArgs args();

  /// What forward and backward should give. `score` and its derivative replace the interpreter's, which is fp32.
  using Score = std::function<double(double s, int64_t b, int64_t h, int64_t q, int64_t k)>;
  Gradients reference(const Score &score = {}, const Score &scoreGrad = {}) const;

  Target target = Target::Cpu;
  Mask mask;
  DType dtype;
  int64_t batch, headsQ, headsKv, lenQ, lenK, headDim;
  float scale;
  HostTensor q, k, v, out, dout, dq, dk, dv;
  std::vector<float> lse, sinks, dsinks; // no sinks: empty
  std::vector<int32_t> kvLen;            // empty: lenK
  std::map<std::string, std::vector<int32_t>> integers;
  std::map<std::string, std::vector<float>> floats;

private:
  std::vector<ParamValues> paramValues() const;
};

/// max |got - want| / (1 + |want|); infinite where one is NaN, or one of two infinities differs.
double worstError(const std::vector<float> &got, const std::vector<double> &want);
/// L2 norm of the difference over that of `want`.
double relativeNorm(const std::vector<float> &got, const std::vector<double> &want);
double worstDifference(const std::vector<float> &got, const std::vector<double> &want);

} // namespace maskjit::test
