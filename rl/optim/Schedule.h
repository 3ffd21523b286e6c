// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The learning rate over the steps of a run.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace maskjit::rl {

enum class ScheduleType { Linear, Constant, ConstantWithWarmup, Cosine };
/// "linear", "constant", "constant_with_warmup" or "cosine", as transformers names them.
ScheduleType parseScheduleType(std::string_view name);

struct Schedule {
  ScheduleType type = ScheduleType::Linear;
  double peak = 1e-6;
  int64_t warmupSteps = 0, totalSteps = 1;

  /// Rate of optimizer step `step`, counted from 0.
  double at(int64_t step) const;
};

} // namespace maskjit::rl
