// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensors of a Hugging Face directory by name, whether one safetensors file or shards with an index holds them.
#pragma once
#include "runtime/safetensors/Safetensors.h"
#include <ATen/core/Tensor.h>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace maskjit {

class Checkpoint {
public:
  /// Opens `directory`/model.safetensors, else the shards of model.safetensors.index.json. Throws std::runtime_error
  /// if a file or a tensor of the index is missing, or one name stands in two shards.
  static Checkpoint open(const std::string &directory);
  /// Opens one file of `directory`.
  static Checkpoint openFile(const std::string &directory, const std::string &file);

  bool has(const std::string &name) const { return tensors.count(name); }
  /// The record, marked as read; null and a problem if there is none, or if dtype or shape are not as expected.
  /// `dtypes` like {"BF16", "F32"}; empty shape: any.
  const TensorRecord *read(const std::string &name, const std::vector<std::string> &dtypes,
                           const std::vector<int64_t> &shape);
  /// Copies a part of a record's bytes. Throws std::runtime_error if the file cannot be read.
  void copyBytes(const TensorRecord &record, size_t begin, size_t bytes, void *to) const;
  /// Bytes of all tensors.
  size_t bytes() const;
  /// Notes something wrong with a tensor.
  void problem(const std::string &name, const std::string &why);
  /// Throws one std::runtime_error with a line for each problem and each tensor that nothing has read.
  void finish() const;

private:
  struct Entry {
    const TensorRecord *record;
    std::string file;
  };
  std::string directory;
  std::vector<SafetensorsFile> files;
  std::map<std::string, Entry> tensors;
  std::set<std::string> used;
  std::vector<std::string> problems;

  void add(const std::string &file);
};

/// A view of a record's bytes as a CPU tensor. Throws std::runtime_error if LibTorch has no such dtype.
at::Tensor tensorOf(const TensorRecord &record);
/// The record of a contiguous CPU tensor; the tensor has to outlive it.
TensorRecord recordOf(const at::Tensor &tensor);
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace maskjit
