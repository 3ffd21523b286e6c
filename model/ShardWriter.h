// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a checkpoint's tensors as they come, in files of bounded size, so that a large one needs the memory of one
// file.
#pragma once
#include <ATen/core/Tensor.h>
#include <map>
#include <string>
#include <vector>

namespace maskjit {

class ShardWriter {
public:
  /// The folder is made if it is not there.
  explicit ShardWriter(std::string directory, size_t shardBytes = size_t(5'000'000'000));
  /// A tensor is copied to the CPU and kept until its file is full.
  void add(const std::string &name, const at::Tensor &tensor);
  /// Writes what is left: model.safetensors, or the last shard and model.safetensors.index.json.
  void finish();

private:
  void flush();

  std::string directory;
  size_t shardBytes, held = 0, total = 0;
  std::map<std::string, at::Tensor> pending;
  std::vector<std::string> files;                          // written under names without their count
  std::vector<std::pair<std::string, size_t>> tensorFiles; // name, file
};

} // namespace maskjit
