// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of weights as compiler/codegen/cuda/StepModule.cpp writes them: Hugging Face's.
#include "model/StepInputs.h"
#include "model/Rope.h"
#include "model/SelfAttention.h"
#include <ATen/Functions.h>
#include <fmt/format.h>

namespace maskjit {
namespace {

enum { kSliding, kFull = kFullMaskNumber }; // numbers of the masks

Mask find(const char *name) {
  Result<Mask> mask = Mask::find(name);
  TORCH_CHECK(mask, mask.error().message);
  return *mask;
}

/// Adds tensors that kernels read as they are.
struct Binder {
  StepInputs &inputs;
  std::vector<at::Tensor> &kept;

  void add(const std::string &name, const at::Tensor &tensor) {
    const at::Tensor flat = tensor.contiguous();
    kept.push_back(flat);
    inputs[name].data = flat.data_ptr();
  }
  /// A projection as it is held; what is NF4 joins `nf4` under its name without `.weight`.
  void addProjection(const std::string &name, const Matrix &matrix) {
    const Nf4 *w = matrix.nf4();
    if (!w)
      return add(name, matrix.dense());
    addNf4(name, *w);
  }
  void addNf4(const std::string &name, const Nf4 &w) {
    add(name + ".codes", w.codes), add(name + ".table", w.table), add(name + ".absmax", w.absmax);
    if (w.nestedTable.defined()) {
      add(name + ".nested_table", w.nestedTable), add(name + ".nested_absmax", w.nestedAbsmax);
      add(name + ".nested_offset", w.nestedOffset);
    }
  }
  /// As add, of what is too large for a second copy.
  void addInPlace(const std::string &name, const at::Tensor &tensor) {
    TORCH_CHECK(tensor.is_contiguous(), name, " has gaps; hold it contiguous");
    inputs[name].data = tensor.data_ptr();
  }
  void addExperts(const std::string &name, const Matrix &matrix, const at::Tensor &bias) {
    if (const Mxfp4 *w = matrix.mxfp4()) {
      add(name + "_blocks", w->blocks);
      add(name + "_scales", w->scales);
    } else if (const Nf4 *w = matrix.nf4()) {
      addNf4(name, *w);
    } else {
      addInPlace(name, matrix.dense());
    }
    add(name + "_bias", bias);
  }
};

} // namespace

StepSpec stepSpecOf(const GptOss &model, double ropeScale, int64_t slots) {
  const Config &c = model.config();
  StepSpec spec;
  spec.dtype = model.dtype() == at::kHalf ? DType::F16 : DType::BF16;
  const Matrix &stack = model.weights().layers[0].gateUp;
  spec.expertsFormat = stack.mxfp4() ? WeightFormat::Mxfp4 : stack.nf4() ? WeightFormat::Nf4 : WeightFormat::Dense;
  spec.hidden = c.hiddenSize, spec.headsQ = c.headsQ, spec.headsKv = c.headsKv, spec.headDim = c.headDim;
  spec.experts = c.experts, spec.expertsPerToken = c.expertsPerToken, spec.intermediate = c.intermediateSize;
  spec.vocabulary = c.vocabSize, spec.eps = c.rmsNormEps, spec.ropeScale = ropeScale;
  spec.swigluAlpha = c.swigluAlpha, spec.swigluLimit = c.swigluLimit, spec.slots = slots;
  const Weights &weights = model.weights();
  const auto note = [&](const std::string &name, const Matrix &matrix) {
    if (const Nf4 *w = matrix.nf4())
      spec.nf4[name] = w->nestedTable.defined();
  };
  note("lm_head", weights.head);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights &w = weights.layers[i];
    const std::string self = fmt::format("model.layers.{}.self_attn.", i);
    note(self + "q_proj", w.qWeight), note(self + "k_proj", w.kWeight), note(self + "v_proj", w.vWeight);
    note(self + "o_proj", w.oWeight);
    const std::string experts = fmt::format("model.layers.{}.mlp.experts.", i);
    note(experts + "gate_up_proj", w.gateUp), note(experts + "down_proj", w.down);
  }
  spec.masks = {find(kSlidingMask), find(kFullMask)};
  for (bool sliding : c.sliding)
    spec.layerMasks.push_back(sliding ? kSliding : kFull);
  return spec;
}

StepInputs stepInputsOf(const GptOss &model, const KvCache &cache, std::vector<at::Tensor> &kept) {
  const Config &config = model.config();
  const Weights &weights = model.weights();
  StepInputs inputs;
  Binder bind{inputs, kept};
  const Rope rope(config, model.device());
  bind.add("frequencies", rope.perPosition());
  bind.add("model.embed_tokens.weight", weights.embedding);
  bind.add("model.norm.weight", weights.norm);
  bind.addProjection("lm_head.weight", weights.head);
  const auto ints = at::TensorOptions(at::kInt).device(model.device());
  bind.add("parameters.window", at::full({1}, config.slidingWindow, ints));
  // No padding is stored, and the kernel knows the keys of each sequence: the masks' own limits stand aside.
  bind.add("parameters.left_pad", at::zeros({1}, ints));
  bind.add("parameters.kv_len", at::full({1}, config.maxPositions, ints));
  for (int64_t i = 0; i < config.layers; ++i) {
    const LayerWeights &w = weights.layers[i];
    const std::string prefix = fmt::format("model.layers.{}.", i), self = prefix + "self_attn.", mlp = prefix + "mlp.";
    bind.add(prefix + "input_layernorm.weight", w.inputNorm);
    bind.add(prefix + "post_attention_layernorm.weight", w.postNorm);
    bind.addProjection(self + "q_proj.weight", w.qWeight), bind.add(self + "q_proj.bias", w.qBias);
    bind.addProjection(self + "k_proj.weight", w.kWeight), bind.add(self + "k_proj.bias", w.kBias);
    bind.addProjection(self + "v_proj.weight", w.vWeight), bind.add(self + "v_proj.bias", w.vBias);
    bind.addProjection(self + "o_proj.weight", w.oWeight), bind.add(self + "o_proj.bias", w.oBias);
    bind.add(self + "sinks", w.sinks.to(at::kFloat));
    // A router's matrix is small: of one in NF4 there is a copy in 16 bits.
    bind.add(mlp + "router.weight", w.routerWeight.toDense(model.dtype(), false));
    bind.add(mlp + "router.bias", w.routerBias);
    bind.addExperts(mlp + "experts.gate_up_proj", w.gateUp, w.gateUpBias);
    bind.addExperts(mlp + "experts.down_proj", w.down, w.downBias);
    // Pages stay where they are: not kept, not copied.
    inputs[fmt::format("cache.{}.key", i)] = {cache.k[i].data_ptr(), 0, cache.pageSize()};
    inputs[fmt::format("cache.{}.value", i)] = {cache.v[i].data_ptr(), 0, cache.pageSize()};
    const at::Tensor &table = cache.pageTable(i);
    inputs[std::string("page_table.") + (config.sliding[i] ? kSlidingMask : kFullMask)] = {table.data_ptr(),
                                                                                           table.stride(0), 0};
  }
  return inputs;
}

/// Why a matrix in NF4 has no kernel; empty: it has one.
static std::string unfitNf4(const Nf4 &w, at::ScalarType dtype, const at::Tensor &table) {
  if (w.blockSize != 64 || w.nestedBlockSize != 256)
    return fmt::format("a matrix is held in NF4 with blocks of {} and {}; kernels read blocks of 64 and 256",
                       w.blockSize, w.nestedBlockSize);
  // Kernels round what they decode to the activations' type; a rounding before it must not show.
  if (w.rounding != at::kFloat && w.rounding != dtype)
    return std::string("a matrix is held in NF4 of ") + c10::toString(w.rounding) + ", the model computes in " +
           c10::toString(dtype) + "; convert the checkpoint";
  if (w.inputs % 64 || w.outputs % 16)
    return fmt::format("a matrix of {} x {} is held in NF4; kernels read multiples of 16 x 64", w.outputs, w.inputs);
  if (!w.table.equal(table))
    return "matrices are held in NF4 with different tables; kernels have one";
  return "";
}

/// Why the experts of a layer have no kernel that the first layer's have; empty: they have it.
static std::string unfitExperts(const LayerWeights &w, const Matrix &first, at::ScalarType dtype) {
  for (const Matrix *matrix : {&w.gateUp, &w.down}) {
    if (!matrix->mxfp4() != !first.mxfp4() || !matrix->nf4() != !first.nf4())
      return "experts are held in MXFP4, NF4 or dense in some matrices and otherwise in others; hold all of them alike";
    if (!matrix->packed() && matrix->dense().scalar_type() != dtype)
      return std::string("experts are held in ") + c10::toString(matrix->dense().scalar_type()) +
             ", the decode step computes in " + c10::toString(dtype) + "; convert them";
  }
  if (first.nf4() && w.gateUp.nf4()->nestedTable.defined() != w.down.nf4()->nestedTable.defined())
    return "of experts in NF4 one matrix has its absmax quantized and the other has not; quantize both alike";
  return "";
}

std::string unfitWeights(const GptOss &model) {
  const Weights &weights = model.weights();
  at::Tensor table; // of the first matrix in NF4
  const auto why = [&](const Matrix &matrix) -> std::string {
    const Nf4 *w = matrix.nf4();
    if (!w)
      return "";
    if (!table.defined())
      table = w->table;
    return unfitNf4(*w, model.dtype(), table);
  };
  std::vector<const Matrix *> projections = {&weights.head};
  for (const LayerWeights &w : weights.layers)
    projections.insert(projections.end(), {&w.qWeight, &w.kWeight, &w.vWeight, &w.oWeight});
  for (const Matrix *matrix : projections) {
    if (matrix->mxfp4())
      return "a projection is held in MXFP4, which is for experts; hold it dense";
    if (const std::string no = why(*matrix); !no.empty())
      return no;
  }
  for (const LayerWeights &w : weights.layers)
    for (const std::string &no : {unfitExperts(w, weights.layers[0].gateUp, model.dtype()), why(w.gateUp), why(w.down)})
      if (!no.empty())
        return no;
  return "";
}

} // namespace maskjit
