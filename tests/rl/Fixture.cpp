// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads golden tensors and their JSON sidecars.
#include "tests/rl/Fixture.h"
#include "runtime/safetensors/Safetensors.h"
#include <ATen/ATen.h>
#include <cmath>
#include <fstream>
#include <stdexcept>

namespace maskjit::rl::test {

static at::ScalarType scalarType(const std::string &dtype) {
  if (dtype == "F32")
    return at::kFloat;
  if (dtype == "I64")
    return at::kLong;
  if (dtype == "BF16")
    return at::kBFloat16;
  throw std::runtime_error("fixture with dtype " + dtype);
}

std::map<std::string, at::Tensor> readTensors(const std::string &path) {
  auto file = SafetensorsFile::open(std::string(MASKJIT_FIXTURES) + "/" + path);
  if (!file)
    throw std::runtime_error(file.error().message);
  std::map<std::string, at::Tensor> out;
  for (const auto &[name, record] : file->tensors())
    out[name] = at::from_blob(const_cast<void *>(record.data), record.shape, scalarType(record.dtype)).clone();
  return out;
}

nlohmann::json readJson(const std::string &path) {
  std::ifstream in(std::string(MASKJIT_FIXTURES) + "/" + path);
  if (!in)
    throw std::runtime_error("cannot open " + path);
  return nlohmann::json::parse(in);
}

double relativeError(const at::Tensor &got, const at::Tensor &want) {
  if (got.sizes() != want.sizes())
    return INFINITY;
  at::Tensor error = (got.to(at::kDouble) - want.to(at::kDouble)).abs() / (1 + want.to(at::kDouble).abs());
  error = at::where(got.isnan() & want.isnan(), at::zeros_like(error), error);
  return error.isnan().any().item<bool>() ? INFINITY : (error.numel() ? error.max().item<double>() : 0);
}

double relativeError(double got, double want) {
  if (std::isnan(got) && std::isnan(want))
    return 0;
  double error = std::abs(got - want) / (1 + std::abs(want));
  return std::isnan(error) ? INFINITY : error;
}

} // namespace maskjit::rl::test
