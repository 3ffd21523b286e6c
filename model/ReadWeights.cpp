// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which tensors of a checkpoint make up one weight.
#include "model/ReadWeights.h"
#include "model/HostMemory.h"
#include "model/JsonFields.h"
#include "model/QuantizeNf4.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

namespace maskjit {
namespace {

bool contains(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

at::ScalarType roundingOf(const JsonFields &state) {
  const std::string name = state.text("dtype", "float32");
  if (name == "bfloat16")
    return at::kBFloat16;
  if (name == "float16")
    return at::kHalf;
  if (name != "float32")
    state.fail("dtype", "expected bfloat16, float16 or float32, got " + name);
  return at::kFloat;
}

/// What a quantization state says beside the values.
struct Nf4State {
  int64_t blockSize = 0, nestedBlockSize = 0; // 0: scales are not quantized
  double nestedOffset = 0;
  at::ScalarType rounding = at::kFloat;

  bool sameForm(const Nf4State &other) const {
    return blockSize == other.blockSize && nestedBlockSize == other.nestedBlockSize && rounding == other.rounding;
  }
};

Nf4State readState(const TensorRecord &text, const std::string &name, const std::vector<int64_t> &shape) {
  const JsonFields state =
      JsonFields::parse(std::string(static_cast<const char *>(text.data), text.bytes), name + kNf4State);
  constexpr int64_t kMost = int64_t(1) << 20;
  Nf4State out;
  out.blockSize = state.integer("blocksize", 1, kMost);
  const nlohmann::json *stated = state.find("shape");
  if (!stated || *stated != nlohmann::json(shape))
    state.fail("shape", "expected " + shapeText(shape) + " by config.json, got " + (stated ? stated->dump() : "none"));
  out.rounding = roundingOf(state);
  if (state.find("nested_blocksize")) {
    out.nestedBlockSize = state.integer("nested_blocksize", 1, kMost);
    out.nestedOffset = state.number("nested_offset", -1e30, 1e30);
  }
  return out;
}

} // namespace

std::string expertName(const std::string &name, int64_t expert) {
  const bool bias = name.size() > 5 && name.compare(name.size() - 5, 5, "_bias") == 0;
  return fmt::format("{}s.{}.{}", bias ? name.substr(0, name.size() - 5) : name, expert, bias ? "bias" : "weight");
}

std::string communityName(const std::string &name) {
  const size_t at = name.find(".mlp.router.");
  return at == std::string::npos ? name : name.substr(0, at) + ".mlp.router.linear." + name.substr(at + 12);
}

at::Tensor WeightReader::plain(const std::string &name, const std::vector<int64_t> &shape,
                               std::optional<at::ScalarType> as) {
  const TensorRecord *record = checkpoint.read(name, {"BF16", "F16", "F32"}, shape);
  return record ? transfer.take(*record, as.value_or(tensorOf(*record).scalar_type())) : at::Tensor();
}

at::Tensor WeightReader::tensor(const std::string &name, const std::vector<int64_t> &shape) {
  if (shape.size() == 2 && checkpoint.has(expertName(name, 0))) { // biases of experts
    std::vector<at::Tensor> all;
    for (int64_t e = 0; e < shape[0]; ++e)
      if (all.push_back(plain(expertName(name, e), {shape[1]}, dtype)); !all.back().defined())
        return {};
    return at::stack(all);
  }
  return plain(checkpoint.has(name)                  ? name
               : checkpoint.has(communityName(name)) ? communityName(name)
                                                     : name,
               shape, dtype);
}

Matrix WeightReader::matrix(const std::string &name, const std::vector<int64_t> &shape) {
  const bool stack = shape.size() == 3;
  const std::string community = communityName(name);
  const std::string &found = checkpoint.has(name) || !checkpoint.has(community) ? name : community;
  Matrix weight;
  if (stack && checkpoint.has(name + "_blocks"))
    weight = mxfp4(name, shape);
  else if (stack && checkpoint.has(expertName(name, 0)))
    weight = oneByOne(name, shape);
  else if (!stack && checkpoint.has(found + kNf4State))
    weight = nf4({found}, shape[0], shape[1]);
  else if (stack ? options.nf4Experts : options.nf4Attention && contains(name, ".self_attn."))
    weight = quantized(name, shape);
  else
    return plain(found, shape, dtype);
  return options.dense && weight.packed() ? Matrix(weight.toDense(dtype.value_or(at::kBFloat16), stack)) : weight;
}

Matrix WeightReader::mxfp4(const std::string &name, const std::vector<int64_t> &shape) {
  const int64_t experts = shape[0], in = shape[1], out = shape[2];
  if (in % 32) {
    checkpoint.problem(name, fmt::format("MXFP4 needs a multiple of 32 input features, got {}", in));
    return {};
  }
  const TensorRecord *blocks = checkpoint.read(name + "_blocks", {"U8"}, {experts, out, in / 32, 16});
  const TensorRecord *scales = checkpoint.read(name + "_scales", {"U8"}, {experts, out, in / 32});
  if (!blocks || !scales)
    return {};
  Mxfp4 weight{transfer.take(*blocks, at::kByte), transfer.take(*scales, at::kByte)};
  const at::Tensor largest = weight.scales.max();
  if (largest.is_cpu())
    checkScales(name, largest.item<int64_t>());
  else
    largestScales.push_back({name, largest}); // asked for at the end: here it would stop the transfer
  return weight;
}

void WeightReader::checkScales(const std::string &name, int64_t largest) {
  if (largest == 255)
    checkpoint.problem(name + "_scales", "holds the scale byte 255, which is no number");
  else if (largest > 128 && !device.is_cpu()) // of 2^1: the kernels decode exactly to it
    checkpoint.problem(name + "_scales", "holds a scale byte above 128, of weights above 12, which the CUDA kernels do "
                                         "not take; run it on the CPU");
}

void WeightReader::finish() {
  for (auto &[name, largest] : largestScales)
    checkScales(name, largest.item<int64_t>());
  largestScales.clear();
}

at::Tensor WeightReader::onHost(const std::string &name, const std::vector<int64_t> &shape) {
  const TensorRecord *record = checkpoint.read(name, {"BF16", "F16", "F32"}, shape);
  if (!record)
    return {};
  HostMemory memory(shape, dtype.value_or(tensorOf(*record).scalar_type()), device);
  transfer.copy(*record, memory.host.scalar_type(), memory.host);
  return memory.device;
}

Matrix WeightReader::nf4(const std::vector<std::string> &names, int64_t out, int64_t in) {
  const int64_t matrices = names.size(), count = out * in, bytes = (count + 1) / 2;
  int64_t blocks = 0, nestedBlocks = 0;
  Nf4 weight;
  weight.outputs = out, weight.inputs = in;
  Nf4State first;
  std::vector<float> offsets;
  const auto empty = [&](int64_t width, at::ScalarType dtype) {
    return at::empty({matrices, width}, at::TensorOptions(dtype).device(device));
  };
  for (int64_t i = 0; i < matrices; ++i) {
    const std::string &name = names[i];
    const TensorRecord *text = checkpoint.read(name + kNf4State, {"U8"}, {});
    if (!text)
      return {};
    const Nf4State state = readState(*text, name, {out, in});
    const bool nested = state.nestedBlockSize;
    if (i == 0) {
      first = state;
      blocks = (count + state.blockSize - 1) / state.blockSize;
      weight.blockSize = state.blockSize, weight.rounding = state.rounding;
      weight.codes = empty(bytes, at::kByte), weight.absmax = empty(blocks, nested ? at::kByte : at::kFloat);
      if (nested) {
        weight.nestedBlockSize = state.nestedBlockSize;
        nestedBlocks = (blocks + state.nestedBlockSize - 1) / state.nestedBlockSize;
        weight.nestedAbsmax = empty(nestedBlocks, at::kFloat);
      }
    } else if (!state.sameForm(first)) {
      checkpoint.problem(name + kNf4State, "expected block sizes and dtype of " + names[0] + ", got others");
      return {};
    }
    offsets.push_back(state.nestedOffset);
    /// Copies a side tensor into its place; the tables of all matrices have to be the first one's.
    const auto take = [&](const std::string &part, const char *dtype, std::vector<int64_t> shape, at::Tensor &into) {
      const TensorRecord *record = checkpoint.read(name + part, {dtype}, shape);
      if (record)
        transfer.copy(*record, into.scalar_type(), into[i]);
      return record != nullptr;
    };
    const auto table = [&](const std::string &part, int64_t entries, at::Tensor &into) {
      const TensorRecord *record = checkpoint.read(name + part, {"F32"}, {entries});
      if (!record)
        return false;
      if (!into.defined())
        into = transfer.take(*record, at::kFloat);
      else if (!tensorOf(*record).equal(into.to(at::kCPU)))
        checkpoint.problem(name + part, "expected the table of " + names[0] + part + ", got another");
      return true;
    };
    if (!take("", "U8", {bytes, 1}, weight.codes) || !table(".quant_map", 16, weight.table) ||
        !take(".absmax", nested ? "U8" : "F32", {blocks}, weight.absmax))
      return {};
    if (nested && (!table(".nested_quant_map", 256, weight.nestedTable) ||
                   !take(".nested_absmax", "F32", {nestedBlocks}, weight.nestedAbsmax)))
      return {};
  }
  if (first.nestedBlockSize)
    weight.nestedOffset = at::tensor(offsets, at::kFloat).to(device);
  return weight;
}

Matrix WeightReader::oneByOne(const std::string &name, const std::vector<int64_t> &shape) {
  const int64_t experts = shape[0], in = shape[1], out = shape[2];
  std::vector<std::string> names;
  for (int64_t e = 0; e < experts; ++e)
    names.push_back(expertName(name, e));
  if (checkpoint.has(names[0] + kNf4State))
    return nf4(names, out, in);
  at::Tensor all;
  for (int64_t e = 0; e < experts; ++e) {
    const at::Tensor one = plain(names[e], {out, in}, dtype);
    if (!one.defined())
      return {};
    if (!all.defined())
      all = at::empty(shape, one.options());
    all[e].copy_(one.t());
  }
  return all;
}

Matrix WeightReader::quantized(const std::string &name, const std::vector<int64_t> &shape) {
  const at::Tensor values = plain(name, shape, std::nullopt);
  if (!values.defined())
    return {};
  if (shape.size() == 2)
    return quantizeNf4(values);
  std::vector<Nf4> experts;
  for (int64_t e = 0; e < shape[0]; ++e)
    experts.push_back(quantizeNf4(values[e].t()));
  return stackNf4(experts);
}

} // namespace maskjit
