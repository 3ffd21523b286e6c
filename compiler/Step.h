// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A decode step of gpt-oss: from the structure of a model to fused kernels and the order of their launches. Includes no
// MLIR header.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// What a low-rank adapter changes in one layer.
struct StepAdapter {
  bool query = false, key = false, value = false, output = false, gateUp = false, down = false;
};

/// The structure that a step is compiled for; no length and no batch is part of it, only how many slots there may be.
struct StepSpec {
  int64_t hidden = 0, headsQ = 0, headsKv = 0, headDim = 0, experts = 0, expertsPerToken = 0, intermediate = 0,
          vocabulary = 0;
  /// A layer's mask, by number in `masks`. Their parameter `q_offset` is the position of the new token; every other one
  /// is an input of the step, `parameters.NAME`.
  std::vector<int> layerMasks;
  std::vector<Mask> masks;
  double eps = 1e-5, ropeScale = 1, swigluAlpha = 1.702, swigluLimit = 7;
  bool penalty = false; // sampling reads which tokens were seen
  /// A layer's adapter; empty: none. Its factors are the inputs NAME.lora_A.weight [rank, in] and NAME.lora_B.weight
  /// [out, rank] beside NAME.weight, of experts [experts, rank, in] and [experts, out, rank] beside NAME_blocks; of the
  /// weights' type and with the adapter's scale in B.
  std::vector<StepAdapter> adapters;
  int64_t adapterRank = 0; // a multiple of 16, padded with zeros
  int64_t slots = 1;
  DType dtype = DType::BF16;
  std::string arch;
  WeightFormat expertsFormat = WeightFormat::Mxfp4;
  /// Matrices that are held in NF4, by their names without `.weight`, and whether their absmax is quantized itself. In
  /// the place of NAME.weight the inputs are NAME.weight.codes, .table and .absmax, else .nested_table, .nested_absmax
  /// and .nested_offset too. Stacks of experts, which have no `.weight` and are all in NF4 or none, where theirs is.
  std::map<std::string, bool> nf4;
};

/// The experts of such a model's layers; `rows` is what expertsRows gives for its slots.
ExpertsSpec expertsOf(const StepSpec &spec);

/// A tensor of the step. Pages of the cache and weights are inputs, as is all that the caller sets or reads.
struct StepValue {
  std::string input;    // bound by the caller under this name; empty: memory of the step
  int64_t rowBytes = 0; // of memory: a slot's part
  int memory = -1;      // values of one number may share memory: they are never needed at the same time
};

enum class StepOp { Embed, Norm, Linear, LinearSm90, LinearNf4, Rope, Append, Add, Route, Attention, Experts, Sample };

/// One launch. `values` are numbers of StepProgram::values by the role that they play in the operation (the operand
/// names of dialects/attn/AttnStep.td), `sizes` and `numbers` likewise.
struct StepLaunch {
  StepOp op;
  std::string kernel; // name of the entry; of attention and experts a name for lists
  int entry = -1;     // of StepProgram::kernels; of attention the number of the mask
  std::map<std::string, std::vector<int>> values;
  std::map<std::string, std::vector<int64_t>> sizes;
  std::map<std::string, double> numbers;

  int value(const std::string &role) const; // the first of the role; -1: none
};

struct StepProgram {
  CudaKernel kernels; // all but attention and experts, which have files of their own
  std::vector<StepValue> values;
  std::vector<StepLaunch> launches;
  int memories = 0; // StepValue::memory is below it
};

/// Textual IR of the step as it is described, or with neighbours fused.
Result<std::string> stepIr(const StepSpec &spec, bool fused);
Result<StepProgram> emitStep(const StepSpec &spec);

} // namespace maskjit
