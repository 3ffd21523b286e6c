// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file of fixtures/attention as tensors, with the mask and parameters that say the same as its sidecar.
#pragma once
#include <ATen/core/Tensor.h>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace maskjit::test {

struct AttentionFixture {
  std::string name, mask;
  std::vector<at::Tensor> params; // on the CPU
  double scale = 0;
  at::Tensor q, k, v, dout;        // of the type asked for
  std::optional<at::Tensor> sinks; // fp32
  at::Tensor out, lse, dq, dk, dv; // fp32, as expected
  std::optional<at::Tensor> dsinks;

  static std::vector<std::string> names();
  static AttentionFixture load(const std::string &name, at::ScalarType type);
};

/// max |got - want| / (1 + |want|); equal infinities count as equal.
double difference(const at::Tensor &got, const at::Tensor &want);

/// Whether `got` is within `absolute` everywhere, or within `relative` of `want` in the L2 norm.
bool isNear(const at::Tensor &got, const at::Tensor &want, double absolute, double relative);

} // namespace maskjit::test
