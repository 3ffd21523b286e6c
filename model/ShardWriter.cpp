// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shards get their final names at the end, when their count is known.
#include "model/ShardWriter.h"
#include "model/Checkpoint.h"
#include "model/JsonFields.h"
#include <ATen/Functions.h>
#include <filesystem>
#include <fmt/format.h>

namespace maskjit {

ShardWriter::ShardWriter(std::string directory, size_t shardBytes)
    : directory(std::move(directory)), shardBytes(shardBytes) {
  std::filesystem::create_directories(this->directory);
}

void ShardWriter::add(const std::string &name, const at::Tensor &tensor) {
  const at::Tensor own = tensor.detach().to(at::kCPU).contiguous();
  if (held && held + own.nbytes() > shardBytes)
    flush();
  held += own.nbytes(), total += own.nbytes();
  tensorFiles.push_back({name, files.size()});
  if (!pending.insert({name, own}).second)
    throw std::runtime_error(name + " is written twice");
}

void ShardWriter::flush() {
  std::map<std::string, TensorRecord> records;
  for (auto &[name, tensor] : pending)
    records[name] = recordOf(tensor);
  files.push_back(fmt::format("{}/model-{:05}.part.safetensors", directory, files.size() + 1));
  Result<void> written = writeSafetensors(files.back(), records, {{"format", "pt"}});
  if (!written)
    throw std::runtime_error(written.error().message);
  pending.clear();
  held = 0;
}

void ShardWriter::finish() {
  flush();
  namespace fs = std::filesystem;
  const std::string single = directory + "/model.safetensors", index = single + ".index.json";
  fs::remove(single), fs::remove(index); // of an earlier checkpoint in the same place
  if (files.size() == 1) {
    fs::rename(files[0], single);
    return;
  }
  nlohmann::ordered_json map;
  std::vector<std::string> names;
  for (size_t i = 0; i < files.size(); ++i) {
    names.push_back(fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, files.size()));
    fs::rename(files[i], directory + "/" + names.back());
  }
  for (auto &[name, file] : tensorFiles)
    map[name] = names[file];
  writeTextFile(index,
                nlohmann::ordered_json({{"metadata", {{"total_size", total}}}, {"weight_map", map}}).dump(2) + "\n");
}

} // namespace maskjit
