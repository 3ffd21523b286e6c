// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An adapter's factors as the kernels of a decode step read them: rounded, padded, in memory that stays where it is.
#pragma once
#include "model/GptOss.h"
#include "runtime/step/Step.h"

namespace maskjit {

class StepFactors {
public:
  /// Memory for the factors of `model`'s adapter, which is switched on; without one there are none. `model` outlives
  /// this.
  explicit StepFactors(const GptOss &model);

  /// Adds to a step's structure and inputs what they need to apply the adapter.
  void describe(StepSpec &spec, StepInputs &inputs) const;
  /// Copies what the factors are now, on the current stream; while the adapter is switched off, zeros. Throws
  /// std::runtime_error if the model has come to another adapter with other targets or another rank.
  void refresh();

private:
  struct Copy {
    int64_t layer;
    std::string target; // as Lora::find takes it
    bool stacked;       // of experts
    std::string name;   // Hugging Face's
    at::Tensor a, b;    // [rank, in] and [out, rank], of experts with an axis for them before
  };

  const GptOss &model;
  int64_t rank = 0, padded = 0;
  std::vector<StepAdapter> layers;
  std::vector<Copy> copies;
};

} // namespace maskjit
