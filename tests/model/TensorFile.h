// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fixtures as tensors, and the measures that the fixtures' README states its expectations in.
#pragma once
#include <ATen/core/Tensor.h>
#include <functional>
#include <map>
#include <string>

namespace maskjit {

/// All tensors of a safetensors file below tests/fixtures, as own memory.
class TensorFile {
public:
  explicit TensorFile(const std::string &path);
  const at::Tensor &operator[](const std::string &name) const; // throws if there is none
  const std::map<std::string, at::Tensor> &all() const { return tensors; }

private:
  std::string path;
  std::map<std::string, at::Tensor> tensors;
};

std::string fixture(const std::string &name);
/// max |got - want| / (1 + |want|) over entries whose `mask` (of the leading dimensions) is 1.
double maxError(const at::Tensor &got, const at::Tensor &want, const at::Tensor &mask = {});
/// |got - want| / |want| in the L2 norm.
double l2Error(const at::Tensor &got, const at::Tensor &want);
/// The message of the exception that `call` throws; empty if it throws none.
std::string messageOf(const std::function<void()> &call);

/// A folder that goes away with the object.
struct TemporaryFolder {
  std::string path;
  TemporaryFolder();
  ~TemporaryFolder();
};

} // namespace maskjit
