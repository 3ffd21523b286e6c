// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random words are a function of seed, tensor and place, so threads fill a file in any order.
#include "bench/RandomShards.h"
#include "model/JsonFields.h"
#include "model/Weights.h"
#include "runtime/cpu/ThreadPool.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace maskjit {
namespace {

constexpr size_t kShardBytes = 5'000'000'000;
constexpr size_t kPiece = size_t(4) << 20;
constexpr uint8_t kScale = 120; // 2^(120 - 127) times values of deviation 2.9 is near initializer_range

/// A bijection that passes for random (Steele, Lea, Flood: SplitMix64).
uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

void writeAt(int fd, const char *from, size_t bytes, size_t offset, const std::string &path) {
  while (bytes) {
    const ssize_t n = ::pwrite(fd, from, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno != EINTR)
      throw std::runtime_error(fmt::format("{}: cannot write {} bytes: {}", path, bytes, std::strerror(errno)));
    if (n > 0)
      from += n, offset += n, bytes -= n;
  }
}

} // namespace

std::string releasedConfig(const std::string &size, int64_t layers) {
  const bool large = size == "120b";
  layers = layers ? layers : large ? 36 : 24;
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (int64_t layer = 0; layer < layers; ++layer)
    types.push_back(layer % 2 == 0 ? "sliding_attention" : "full_attention");
  const nlohmann::ordered_json config = {
      {"architectures", {"GptOssForCausalLM"}},
      {"model_type", "gpt_oss"},
      {"attention_bias", true},
      {"attention_dropout", 0.0},
      {"eos_token_id", 200002},
      {"experts_per_token", 4},
      {"head_dim", 64},
      {"hidden_act", "silu"},
      {"hidden_size", 2880},
      {"initial_context_length", 4096},
      {"initializer_range", 0.02},
      {"intermediate_size", 2880},
      {"layer_types", types},
      {"max_position_embeddings", 131072},
      {"num_attention_heads", 64},
      {"num_experts_per_tok", 4},
      {"num_hidden_layers", layers},
      {"num_key_value_heads", 8},
      {"num_local_experts", large ? 128 : 32},
      {"output_router_logits", false},
      {"pad_token_id", 199999},
      {"quantization_config",
       {{"modules_to_not_convert",
         {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"}},
        {"quant_method", "mxfp4"}}},
      {"rms_norm_eps", 1e-5},
      {"rope_scaling",
       {{"beta_fast", 32.0},
        {"beta_slow", 1.0},
        {"factor", 32.0},
        {"original_max_position_embeddings", 4096},
        {"rope_type", "yarn"},
        {"truncate", false}}},
      {"rope_theta", 150000},
      {"router_aux_loss_coef", 0.9},
      {"sliding_window", 128},
      {"swiglu_limit", 7.0},
      {"tie_word_embeddings", false},
      {"use_cache", true},
      {"vocab_size", 201088}};
  return config.dump(2) + "\n";
}

RandomShards::RandomShards(std::string folder, const std::string &text, uint64_t seed)
    : folder(std::move(folder)), seed(mix(seed + 1)) {
  const Config config = Config::parse(text, "config.json");
  const at::Tensor share = (at::arange(65536, at::kDouble) + 0.5) / 32768 - 1;
  const at::Tensor values = (share.erfinv() * (std::sqrt(2.0) * config.initializerRange)).to(at::kBFloat16);
  const auto *bits = static_cast<const uint16_t *>(values.const_data_ptr());
  normal.assign(bits, bits + 65536);

  Weights none; // nothing of it is kept
  visitWeights(none, config,
               {[&](auto &name, auto &shape, at::Tensor &) { plan(name, "BF16", shape); },
                [&](auto &name, auto &shape, Matrix &) {
                  if (shape.size() == 2)
                    return plan(name, "BF16", shape);
                  plan(name + "_blocks", "U8", {shape[0], shape[2], shape[1] / 32, 16});
                  plan(name + "_scales", "U8", {shape[0], shape[2], shape[1] / 32});
                }});
  std::filesystem::create_directories(this->folder);
  nlohmann::ordered_json map;
  for (size_t shard = 0; shard < shards.size(); ++shard)
    for (const Entry &entry : shards[shard])
      map[entry.name] = fileOf(shard);
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  writeTextFile(this->folder + "/model.safetensors.index.json", index.dump(2) + "\n");
  writeTextFile(this->folder + "/config.json", text);
  writeTextFile(this->folder + "/generation_config.json",
                "{\n  \"eos_token_id\": [200002, 199999, 200012],\n  \"pad_token_id\": 199999\n}\n");
}

void RandomShards::plan(const std::string &name, const std::string &dtype, const std::vector<int64_t> &shape) {
  size_t bytes = dtype == "BF16" ? 2 : 1;
  for (int64_t size : shape)
    bytes *= size;
  size_t begin = shards.empty() || shards.back().empty() ? 0 : shards.back().back().begin + shards.back().back().bytes;
  begin = (begin + 7) / 8 * 8;
  if (shards.empty() || begin + bytes > kShardBytes)
    shards.emplace_back(), begin = 0;
  shards.back().push_back({name, dtype, shape, begin, bytes, tensors++});
  total += bytes;
}

std::string RandomShards::fileOf(size_t shard) const {
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards.size());
}

void RandomShards::write(const std::string &file) const {
  size_t shard = 0;
  while (shard < shards.size() && fileOf(shard) != file)
    ++shard;
  const std::vector<Entry> &entries = shards.at(shard);
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  for (const Entry &e : entries)
    header[e.name] = {{"dtype", e.dtype}, {"shape", e.shape}, {"data_offsets", {e.begin, e.begin + e.bytes}}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char *>(&length), sizeof length); // little-endian, as the machines it runs on

  const std::string path = folder + "/" + file;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0)
    throw std::runtime_error(fmt::format("{}: cannot create: {}", path, std::strerror(errno)));
  writeAt(fd, text.data(), text.size(), 0, path);
  std::vector<std::pair<const Entry *, size_t>> pieces; // and their offsets
  for (const Entry &e : entries)
    for (size_t at = 0; at < e.bytes; at += kPiece)
      pieces.push_back({&e, at});
  std::atomic<bool> failed{false};
  parallelFor(int64_t(pieces.size()), [&](int64_t first, int64_t last) {
    std::vector<uint64_t> words(kPiece / 8);
    for (int64_t i = first; i < last; ++i) {
      const auto [entry, at] = pieces[i];
      const size_t bytes = std::min(kPiece, entry->bytes - at);
      const bool bf16 = entry->dtype == "BF16", one = bf16 && entry->name.find("norm.weight") != std::string::npos,
                 scale = entry->name.size() > 7 && entry->name.compare(entry->name.size() - 7, 7, "_scales") == 0;
      for (size_t w = 0; w < (bytes + 7) / 8; ++w) {
        const uint64_t random = mix(seed + (entry->number << 40) + at / 8 + w);
        uint64_t word = random;
        if (bf16) {
          word = 0;
          for (int k = 0; k < 4; ++k)
            word |= uint64_t(one ? 0x3f80 : normal[random >> 16 * k & 0xffff]) << 16 * k;
        } else if (scale) {
          word = kScale * uint64_t(0x0101010101010101);
        }
        words[w] = word;
      }
      try {
        writeAt(fd, reinterpret_cast<const char *>(words.data()), bytes, text.size() + entry->begin + at, path);
      } catch (const std::exception &) {
        failed = true;
      }
    }
  });
  ::close(fd);
  if (failed)
    throw std::runtime_error(path + ": cannot be written as a whole; is there room for " + std::to_string(kShardBytes) +
                             " bytes?");
}

void RandomShards::writeAll() const {
  for (size_t shard = 0; shard < shards.size(); ++shard)
    write(fileOf(shard));
}

ShardSource RandomShards::oneByOne(double &seconds) const {
  ShardSource source;
  source.need = [this, &seconds](const std::string &file) {
    const auto start = std::chrono::steady_clock::now();
    write(file);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  source.done = [this](const std::string &file) { std::filesystem::remove(folder + "/" + file); };
  return source;
}

} // namespace maskjit
