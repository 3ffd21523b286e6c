// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints of gpt-oss's released sizes and layout with random weights, shard by shard: a shard is written when it is
// asked for, by all threads, and need not stay. Routing by random weights is near uniform, and the text is noise.
#pragma once
#include "model/Checkpoint.h"
#include "model/Config.h"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace maskjit {

/// config.json as released, for "20b" or "120b"; `layers`: 0, or fewer than the model has.
std::string releasedConfig(const std::string &size, int64_t layers = 0);

class RandomShards {
public:
  /// Plans shards of 5 GB, or less where a tensor would not fit, and writes config.json, generation_config.json and
  /// model.safetensors.index.json to `folder`.
  RandomShards(std::string folder, const std::string &config, uint64_t seed);

  /// Writes one shard; the same seed gives the same bytes.
  void write(const std::string &file) const;
  void writeAll() const;
  /// Shards that exist while the loader reads them. Outlived by this; `seconds` grows by the time that writing took.
  ShardSource oneByOne(double &seconds) const;
  size_t bytes() const { return total; }

private:
  struct Entry {
    std::string name, dtype;
    std::vector<int64_t> shape;
    size_t begin, bytes; // in the shard's data
    uint64_t number;     // of the tensor in the random draws
  };

  void plan(const std::string &name, const std::string &dtype, const std::vector<int64_t> &shape);
  std::string fileOf(size_t shard) const;

  std::string folder;
  uint64_t seed;
  std::vector<uint16_t> normal; // bf16 of the normal distribution at 65,536 equal shares
  std::vector<std::vector<Entry>> shards;
  size_t total = 0, tensors = 0;
};

} // namespace maskjit
