// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensors of a Hugging Face directory by name, whether one safetensors file or shards with an index holds them.
#pragma once
#include "runtime/safetensors/Safetensors.h"
#include <ATen/core/Tensor.h>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace maskjit {

/// Shards that come and go: a model larger than the disk is loaded as its files arrive.
struct ShardSource {
  /// Has to put the file of the index into the checkpoint's folder. Called before the first tensor of it is read;
  /// empty: all files are there.
  std::function<void(const std::string &file)> need;
  /// All tensors of the file have been read, and its mapping is closed: it may be removed. Only where there is `need`.
  std::function<void(const std::string &file)> done;
};

class Checkpoint {
public:
  /// Opens `directory`/model.safetensors, else the shards of model.safetensors.index.json. Throws std::runtime_error
  /// if a file or a tensor of the index is missing, or one name stands in two shards. With `source.need` shards are
  /// opened, and what they hold is compared with the index, one by one as they are read.
  static Checkpoint open(const std::string &directory, ShardSource source = {});
  /// Opens one file of `directory`.
  static Checkpoint openFile(const std::string &directory, const std::string &file);

  bool has(const std::string &name) const { return tensors.count(name); }
  /// The record, marked as read; null and a problem if there is none, or if dtype or shape are not as expected.
  /// `dtypes` like {"BF16", "F32"}; empty shape: any.
  const TensorRecord *read(const std::string &name, const std::vector<std::string> &dtypes,
                           const std::vector<int64_t> &shape);
  /// Copies a part of a record's bytes. Throws std::runtime_error if the file cannot be read.
  void copyBytes(const TensorRecord &record, size_t begin, size_t bytes, void *to) const;
  /// The bytes of a record where the file is mapped, as a CPU tensor that keeps the mapping. Pages are the page cache's
  /// until they are written to, which changes this process's copy alone. A file that is cut off while it is mapped
  /// ends the process with SIGBUS when what is gone is read; one that is replaced by another of its name stays.
  at::Tensor view(const TensorRecord &record) const;
  /// Closes the files whose tensors have all been read; their records are gone. Views of them stay valid.
  void closeRead();
  /// Bytes of all tensors, where they are known before all files are; else as the index says.
  size_t bytes() const;
  /// Notes something wrong with a tensor.
  void problem(const std::string &name, const std::string &why);
  /// Throws one std::runtime_error with a line for each problem and each tensor that nothing has read.
  void finish() const;

private:
  struct Entry {
    const TensorRecord *record; // null: its file is not open
    std::string file;
  };
  struct OpenFile {
    SafetensorsFile file;
    size_t unread; // tensors
  };
  std::string directory;
  ShardSource source;
  size_t statedBytes = 0; // by the index
  std::map<std::string, OpenFile> files;
  std::map<std::string, Entry> tensors;
  std::set<std::string> used;
  std::vector<std::string> problems;

  std::string indexPath() const { return directory + "/model.safetensors.index.json"; }
  const SafetensorsFile &openFileNamed(const std::string &file);
  void add(const std::string &file);
  /// Asks for a file of the index and compares what it holds with what the index says.
  void addWhenNeeded(const std::string &file);
  const SafetensorsFile &fileOf(const TensorRecord &record) const;
};

/// A view of a record's bytes as a CPU tensor. Throws std::runtime_error if LibTorch has no such dtype.
at::Tensor tensorOf(const TensorRecord &record);
/// The record of a contiguous CPU tensor; the tensor has to outlive it.
TensorRecord recordOf(const at::Tensor &tensor);
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace maskjit
