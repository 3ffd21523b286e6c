// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads, initialises and writes weights.
#include "model/Weights.h"
#include "model/Checkpoint.h"
#include "model/JsonFields.h"
#include "model/Quantized.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <fmt/format.h>

namespace maskjit {
namespace {

bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

at::Tensor loadPlain(Checkpoint &checkpoint, const std::string &name, const std::vector<int64_t> &shape,
                     at::Device device, at::ScalarType dtype) {
  const TensorRecord *record = checkpoint.read(name, {"BF16", "F16", "F32"}, shape);
  return record ? tensorOf(*record).to(device, dtype, /*non_blocking=*/false, /*copy=*/true) : at::Tensor();
}

/// Expert weights [E, in, out] that the file holds as blocks and scales.
at::Tensor loadMxfp4(Checkpoint &checkpoint, const std::string &name, const std::vector<int64_t> &shape,
                     at::Device device, at::ScalarType dtype) {
  const int64_t experts = shape[0], in = shape[1], out = shape[2];
  if (in % 32) {
    checkpoint.problem(name, fmt::format("MXFP4 needs a multiple of 32 input features, got {}", in));
    return {};
  }
  const TensorRecord *blocks = checkpoint.read(name + "_blocks", {"U8"}, {experts, out, in / 32, 16});
  const TensorRecord *scales = checkpoint.read(name + "_scales", {"U8"}, {experts, out, in / 32});
  if (!blocks || !scales)
    return {};
  try {
    return dequantizeMxfp4(tensorOf(*blocks).to(device), tensorOf(*scales).to(device), dtype);
  } catch (const std::runtime_error &error) {
    checkpoint.problem(name + "_scales", error.what());
    return {};
  }
}

constexpr const char *kNf4State = ".quant_state.bitsandbytes__nf4";

/// A projection [out, in] that bitsandbytes quantized, its state beside it.
at::Tensor loadNf4(Checkpoint &checkpoint, const std::string &name, const std::vector<int64_t> &shape,
                   at::Device device, at::ScalarType dtype) {
  const TensorRecord *text = checkpoint.read(name + kNf4State, {"U8"}, {});
  if (!text)
    return {};
  const JsonFields state =
      JsonFields::parse(std::string(static_cast<const char *>(text->data), text->bytes), name + kNf4State);
  Nf4 weight;
  weight.shape = shape;
  const int64_t count = shape[0] * shape[1], most = int64_t(1) << 20;
  weight.blockSize = state.integer("blocksize", 1, most);
  const int64_t blocks = (count + weight.blockSize - 1) / weight.blockSize;
  const nlohmann::json *stated = state.find("shape");
  if (!stated || *stated != nlohmann::json(shape))
    state.fail("shape", "expected " + shapeText(shape) + " by config.json, got " + (stated ? stated->dump() : "none"));
  const bool nested = state.find("nested_blocksize");
  const TensorRecord *codes = checkpoint.read(name, {"U8"}, {(count + 1) / 2, 1});
  const TensorRecord *table = checkpoint.read(name + ".quant_map", {"F32"}, {16});
  const TensorRecord *absmax = checkpoint.read(name + ".absmax", {nested ? "U8" : "F32"}, {blocks});
  if (!codes || !table || !absmax)
    return {};
  weight.codes = tensorOf(*codes), weight.table = tensorOf(*table), weight.absmax = tensorOf(*absmax);
  if (nested) {
    weight.nestedBlockSize = state.integer("nested_blocksize", 1, most);
    weight.nestedOffset = state.number("nested_offset", -1e30, 1e30);
    const int64_t nestedBlocks = (blocks + weight.nestedBlockSize - 1) / weight.nestedBlockSize;
    const TensorRecord *nestedTable = checkpoint.read(name + ".nested_quant_map", {"F32"}, {256});
    const TensorRecord *nestedAbsmax = checkpoint.read(name + ".nested_absmax", {"F32"}, {nestedBlocks});
    if (!nestedTable || !nestedAbsmax)
      return {};
    weight.nestedTable = tensorOf(*nestedTable), weight.nestedAbsmax = tensorOf(*nestedAbsmax);
  }
  at::Tensor values = dequantizeNf4(weight);
  if (state.text("dtype", "float32") == "bfloat16")
    values = values.to(at::kBFloat16); // the weight that such a layer multiplies by is rounded once
  return values.to(device, dtype);
}

} // namespace

void visitWeights(Weights &weights, const Config &c, const WeightVisitor &visit) {
  weights.layers.resize(c.layers);
  const int64_t q = c.headsQ * c.headDim, kv = c.headsKv * c.headDim;
  visit("model.embed_tokens.weight", {c.vocabSize, c.hiddenSize}, weights.embedding);
  for (int64_t i = 0; i < c.layers; ++i) {
    LayerWeights &layer = weights.layers[i];
    const std::string prefix = fmt::format("model.layers.{}.", i), attention = prefix + "self_attn.",
                      experts = prefix + "mlp.experts.";
    visit(prefix + "input_layernorm.weight", {c.hiddenSize}, layer.inputNorm);
    visit(attention + "q_proj.weight", {q, c.hiddenSize}, layer.qWeight);
    visit(attention + "q_proj.bias", {q}, layer.qBias);
    visit(attention + "k_proj.weight", {kv, c.hiddenSize}, layer.kWeight);
    visit(attention + "k_proj.bias", {kv}, layer.kBias);
    visit(attention + "v_proj.weight", {kv, c.hiddenSize}, layer.vWeight);
    visit(attention + "v_proj.bias", {kv}, layer.vBias);
    visit(attention + "o_proj.weight", {c.hiddenSize, q}, layer.oWeight);
    visit(attention + "o_proj.bias", {c.hiddenSize}, layer.oBias);
    visit(attention + "sinks", {c.headsQ}, layer.sinks);
    visit(prefix + "post_attention_layernorm.weight", {c.hiddenSize}, layer.postNorm);
    visit(prefix + "mlp.router.weight", {c.experts, c.hiddenSize}, layer.routerWeight);
    visit(prefix + "mlp.router.bias", {c.experts}, layer.routerBias);
    visit(experts + "gate_up_proj", {c.experts, c.hiddenSize, 2 * c.intermediateSize}, layer.gateUp);
    visit(experts + "gate_up_proj_bias", {c.experts, 2 * c.intermediateSize}, layer.gateUpBias);
    visit(experts + "down_proj", {c.experts, c.intermediateSize, c.hiddenSize}, layer.down);
    visit(experts + "down_proj_bias", {c.experts, c.hiddenSize}, layer.downBias);
  }
  visit("model.norm.weight", {c.hiddenSize}, weights.norm);
  visit("lm_head.weight", {c.vocabSize, c.hiddenSize}, weights.head);
}

Weights loadWeights(const std::string &directory, const Config &config, at::Device device, at::ScalarType dtype) {
  Checkpoint checkpoint = Checkpoint::open(directory);
  Weights weights;
  visitWeights(weights, config, [&](const std::string &name, const std::vector<int64_t> &shape, at::Tensor &tensor) {
    if (shape.size() == 3 && checkpoint.has(name + "_blocks"))
      tensor = loadMxfp4(checkpoint, name, shape, device, dtype);
    else if (shape.size() == 2 && checkpoint.has(name + kNf4State))
      tensor = loadNf4(checkpoint, name, shape, device, dtype);
    else
      tensor = loadPlain(checkpoint, name, shape, device, dtype);
  });
  checkpoint.finish();
  return weights;
}

Weights randomWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Weights weights;
  visitWeights(weights, config, [&](const std::string &name, const std::vector<int64_t> &shape, at::Tensor &tensor) {
    tensor = at::empty(shape, at::kFloat);
    if (endsWith(name, "norm.weight"))
      tensor.fill_(1);
    else if (endsWith(name, "bias"))
      tensor.zero_();
    else
      tensor.normal_(0, config.initializerRange, generator);
    tensor = tensor.to(device, dtype);
  });
  return weights;
}

void saveWeights(const Weights &weights, const Config &config, const std::string &directory, at::ScalarType dtype) {
  std::map<std::string, TensorRecord> records;
  std::vector<at::Tensor> held; // what the records point to
  Weights copy = weights;
  visitWeights(copy, config, [&](const std::string &name, const std::vector<int64_t> &, at::Tensor &tensor) {
    held.push_back(tensor.detach().to(at::kCPU, dtype).contiguous());
    records[name] = recordOf(held.back());
  });
  Result<void> written = writeSafetensors(directory + "/model.safetensors", records, {{"format", "pt"}});
  if (!written)
    throw std::runtime_error(written.error().message);
}

} // namespace maskjit
