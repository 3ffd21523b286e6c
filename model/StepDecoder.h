// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The decoder over the compiled step of a GPU: the host looks at a step's tokens while the next one runs.
#pragma once
#include "model/DecodeStep.h"
#include "model/Decoder.h"

namespace maskjit {

class StepDecoder : public Decoder {
public:
  /// DecodeStep::refusal is empty for these.
  StepDecoder(const GptOss &model, KvCache &cache, int64_t slots, const SamplingOptions &sampling, bool sharesPrompts);

  void start(const Started &sequence) override;
  void stop(int64_t slot) override;
  Drawn step(const std::vector<int64_t> &slots) override;
  int64_t ahead() const override { return 1; }

private:
  at::Tensor toDevice(const at::Tensor &host) const;

  KvCache &cache;
  DecodeStep compiled;
  std::vector<int32_t> active; // as the device has it
  bool changed = false;        // slots have other sequences than at the last step
};

} // namespace maskjit
