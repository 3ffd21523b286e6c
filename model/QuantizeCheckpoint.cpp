// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads, quantizes and writes weight by weight; names and side tensors are bitsandbytes'.
#include "model/QuantizeCheckpoint.h"
#include "model/JsonFields.h"
#include "model/QuantizeNf4.h"
#include "model/Weights.h"
#include <ATen/Functions.h>
#include <filesystem>

namespace maskjit {
namespace {

constexpr const char *kAttention = ".self_attn.";

/// A matrix [out, in] and its side tensors.
void addNf4(ShardWriter &writer, const std::string &name, const at::Tensor &values) {
  const Nf4 weight = quantizeNf4(values.to(at::kBFloat16).contiguous());
  writer.add(name, weight.codes.view({-1, 1}));
  writer.add(name + ".absmax", weight.absmax[0]);
  writer.add(name + ".quant_map", weight.table);
  writer.add(name + ".nested_absmax", weight.nestedAbsmax[0]);
  writer.add(name + ".nested_quant_map", weight.nestedTable);
  const nlohmann::ordered_json state = {{"quant_type", "nf4"},
                                        {"blocksize", weight.blockSize},
                                        {"dtype", "bfloat16"},
                                        {"shape", {weight.outputs, weight.inputs}},
                                        {"nested_blocksize", weight.nestedBlockSize},
                                        {"nested_dtype", "float32"},
                                        {"nested_offset", double(weight.nestedOffset.item<float>())}};
  std::string text = state.dump();
  writer.add(name + kNf4State, at::from_blob(text.data(), {int64_t(text.size())}, at::kByte).clone());
}

std::string configOf(const Config &config) {
  nlohmann::ordered_json out = nlohmann::ordered_json::parse(config.toJson("bfloat16"));
  out["quantization_config"] = {{"_load_in_4bit", true},
                                {"_load_in_8bit", false},
                                {"bnb_4bit_compute_dtype", "bfloat16"},
                                {"bnb_4bit_quant_storage", "uint8"},
                                {"bnb_4bit_quant_type", "nf4"},
                                {"bnb_4bit_use_double_quant", true},
                                {"llm_int8_enable_fp32_cpu_offload", false},
                                {"llm_int8_has_fp16_weight", false},
                                {"llm_int8_skip_modules", nullptr},
                                {"llm_int8_threshold", 6.0},
                                {"load_in_4bit", true},
                                {"load_in_8bit", false},
                                {"quant_method", "bitsandbytes"}};
  return out.dump(2) + "\n";
}

/// Everything beside the weights: tokenizer, templates, generation_config.json.
void copyOthers(const std::string &from, const std::string &to) {
  namespace fs = std::filesystem;
  for (const fs::directory_entry &entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string(), end = entry.path().extension().string();
    if (entry.is_regular_file() && end != ".safetensors" && name != "config.json" &&
        name != "model.safetensors.index.json")
      fs::copy_file(entry.path(), fs::path(to) / name, fs::copy_options::overwrite_existing);
  }
}

} // namespace

void quantizeCheckpoint(const std::string &from, const std::string &to, ExpertFormat experts,
                        const LoadProgress &progress) {
  if (std::filesystem::exists(to) && std::filesystem::equivalent(from, to))
    throw std::runtime_error(to + ": is the checkpoint that is read; write to another folder");
  const Config config = Config::load(from);
  Checkpoint checkpoint = Checkpoint::open(from);
  ShardWriter writer(to);
  const bool oneByOne = experts == ExpertFormat::Nf4;
  LoadOptions options;
  options.progress = progress;
  WeightReader reader(checkpoint, at::kCPU, std::nullopt, options);
  const auto tensor = [&](const std::string &name, const std::vector<int64_t> &shape, at::Tensor &) {
    const at::Tensor values = reader.tensor(name, shape);
    if (!values.defined())
      return;
    if (oneByOne && shape.size() == 2 && name.find(".experts.") != std::string::npos)
      for (int64_t e = 0; e < shape[0]; ++e)
        writer.add(expertName(name, e), values[e].to(at::kBFloat16));
    else
      writer.add(oneByOne ? communityName(name) : name, values.to(at::kBFloat16));
  };
  const auto matrix = [&](const std::string &name, const std::vector<int64_t> &shape, Matrix &) {
    const Matrix weight = reader.matrix(name, shape);
    if (!weight.defined())
      return;
    const bool stack = shape.size() == 3, attention = name.find(kAttention) != std::string::npos;
    if (attention && weight.packed())
      throw std::runtime_error(from + ": " + name +
                               " is in 4 bits already; quantize the checkpoint that it was made of");
    if (attention)
      addNf4(writer, name, weight.dense());
    else if (stack && oneByOne)
      for (int64_t e = 0; e < shape[0]; ++e)
        addNf4(writer, expertName(name, e), weight.inOut(e, at::kBFloat16).t());
    else
      writer.add(oneByOne ? communityName(name) : name, weight.toDense(at::kBFloat16, stack));
  };
  Weights none; // nothing of it is kept
  visitWeights(none, config, {tensor, matrix});
  checkpoint.finish();
  writer.finish();
  writeTextFile(to + "/config.json", configOf(config));
  copyOthers(from, to);
}

} // namespace maskjit
