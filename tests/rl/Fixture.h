// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads golden tensors and their JSON sidecars, and compares as their README measures.
#pragma once
#include <ATen/core/Tensor.h>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace maskjit::rl::test {

/// Every tensor of tests/fixtures/`path`, cloned.
std::map<std::string, at::Tensor> readTensors(const std::string &path);
nlohmann::json readJson(const std::string &path);

/// max |got - want| / (1 + |want|); infinite if shapes differ or a NaN meets a number.
double relativeError(const at::Tensor &got, const at::Tensor &want);
double relativeError(double got, double want);

} // namespace maskjit::rl::test
