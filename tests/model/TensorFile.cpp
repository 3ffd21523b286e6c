// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads fixtures into tensors and compares.
#include "tests/model/TensorFile.h"
#include "model/Checkpoint.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <filesystem>
#include <stdlib.h>

namespace maskjit {

std::string fixture(const std::string &name) { return std::string(MASKJIT_FIXTURES "/") + name; }

TensorFile::TensorFile(const std::string &path) : path(path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(fixture(path));
  if (!file)
    throw std::runtime_error(file.error().message);
  for (auto &[name, record] : file->tensors())
    tensors[name] = tensorOf(record).clone();
}

const at::Tensor &TensorFile::operator[](const std::string &name) const {
  auto it = tensors.find(name);
  if (it == tensors.end())
    throw std::runtime_error(path + " holds no " + name);
  return it->second;
}

double maxError(const at::Tensor &got, const at::Tensor &want, const at::Tensor &mask) {
  at::Tensor g = got.detach().to(at::kCPU, at::kDouble), w = want.detach().to(at::kCPU, at::kDouble);
  TORCH_CHECK(g.sizes() == w.sizes(), "sizes differ: ", g.sizes(), " and ", w.sizes());
  if (mask.defined()) {
    const at::Tensor rows = mask.flatten().nonzero().squeeze(1);
    const auto select = [&](const at::Tensor &x) {
      return (x.dim() == mask.dim() ? x.flatten() : x.flatten(0, mask.dim() - 1)).index_select(0, rows);
    };
    g = select(g), w = select(w);
  }
  return ((g - w).abs() / (1 + w.abs())).max().item<double>();
}

double l2Error(const at::Tensor &got, const at::Tensor &want) {
  const at::Tensor g = got.detach().to(at::kCPU, at::kDouble), w = want.detach().to(at::kCPU, at::kDouble);
  TORCH_CHECK(g.sizes() == w.sizes(), "sizes differ: ", g.sizes(), " and ", w.sizes());
  return (g - w).norm().item<double>() / w.norm().item<double>();
}

std::string messageOf(const std::function<void()> &call) {
  try {
    call();
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  } catch (const std::exception &error) {
    return error.what();
  }
  return "";
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "maskjit-test-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw std::runtime_error("no temporary folder could be made: " + name);
  path = name;
}
TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path); }

} // namespace maskjit
