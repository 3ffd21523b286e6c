// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which tensors of a checkpoint make up one weight.
#include "model/ReadWeights.h"
#include "model/JsonFields.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

namespace maskjit {
namespace {

constexpr const char *kNf4State = ".quant_state.bitsandbytes__nf4";

} // namespace

at::Tensor WeightReader::tensor(const std::string &name, const std::vector<int64_t> &shape) {
  const TensorRecord *record = checkpoint.read(name, {"BF16", "F16", "F32"}, shape);
  return record ? tensorOf(*record).to(device, dtype, /*non_blocking=*/false, /*copy=*/true) : at::Tensor();
}

Matrix WeightReader::matrix(const std::string &name, const std::vector<int64_t> &shape) {
  if (shape.size() == 3 && checkpoint.has(name + "_blocks"))
    return mxfp4(name, shape);
  if (shape.size() == 2 && checkpoint.has(name + kNf4State))
    return nf4(name, shape);
  return tensor(name, shape);
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
  Mxfp4 weight{tensorOf(*blocks).to(device, at::kByte, false, /*copy=*/true),
               tensorOf(*scales).to(device, at::kByte, false, /*copy=*/true)};
  if ((weight.scales == 255).any().item<bool>()) {
    checkpoint.problem(name + "_scales", "holds the scale byte 255, which is no number");
    return {};
  }
  return weight;
}

Matrix WeightReader::nf4(const std::string &name, const std::vector<int64_t> &shape) {
  const TensorRecord *text = checkpoint.read(name + kNf4State, {"U8"}, {});
  if (!text)
    return {};
  const JsonFields state =
      JsonFields::parse(std::string(static_cast<const char *>(text->data), text->bytes), name + kNf4State);
  Nf4 weight;
  weight.outputs = shape[0], weight.inputs = shape[1];
  const int64_t count = shape[0] * shape[1], most = int64_t(1) << 20;
  weight.blockSize = state.integer("blocksize", 1, most);
  const int64_t blocks = (count + weight.blockSize - 1) / weight.blockSize;
  const nlohmann::json *stated = state.find("shape");
  if (!stated || *stated != nlohmann::json(shape))
    state.fail("shape", "expected " + shapeText(shape) + " by config.json, got " + (stated ? stated->dump() : "none"));
  const std::string rounding = state.text("dtype", "float32");
  weight.rounding = rounding == "bfloat16" ? at::kBFloat16 : rounding == "float16" ? at::kHalf : at::kFloat;
  const bool nested = state.find("nested_blocksize");
  const auto copied = [&](const TensorRecord *record, std::vector<int64_t> as) {
    const at::Tensor view = tensorOf(*record);
    return view.reshape(as).to(device, view.scalar_type(), false, /*copy=*/true);
  };
  const TensorRecord *codes = checkpoint.read(name, {"U8"}, {(count + 1) / 2, 1});
  const TensorRecord *table = checkpoint.read(name + ".quant_map", {"F32"}, {16});
  const TensorRecord *absmax = checkpoint.read(name + ".absmax", {nested ? "U8" : "F32"}, {blocks});
  if (!codes || !table || !absmax)
    return {};
  weight.codes = copied(codes, {1, (count + 1) / 2}), weight.table = copied(table, {16});
  weight.absmax = copied(absmax, {1, blocks});
  if (nested) {
    weight.nestedBlockSize = state.integer("nested_blocksize", 1, most);
    weight.nestedOffset = at::full({1}, state.number("nested_offset", -1e30, 1e30), at::kFloat).to(device);
    const int64_t nestedBlocks = (blocks + weight.nestedBlockSize - 1) / weight.nestedBlockSize;
    const TensorRecord *nestedTable = checkpoint.read(name + ".nested_quant_map", {"F32"}, {256});
    const TensorRecord *nestedAbsmax = checkpoint.read(name + ".nested_absmax", {"F32"}, {nestedBlocks});
    if (!nestedTable || !nestedAbsmax)
      return {};
    weight.nestedTable = copied(nestedTable, {256}), weight.nestedAbsmax = copied(nestedAbsmax, {1, nestedBlocks});
  }
  return weight;
}

} // namespace maskjit
