// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The learning rate over the steps of a run, by the formulas of transformers' schedulers.
#include "rl/optim/Schedule.h"
#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace maskjit::rl {

ScheduleType parseScheduleType(std::string_view name) {
  if (name == "linear")
    return ScheduleType::Linear;
  if (name == "constant")
    return ScheduleType::Constant;
  if (name == "constant_with_warmup")
    return ScheduleType::ConstantWithWarmup;
  if (name == "cosine")
    return ScheduleType::Cosine;
  throw std::runtime_error("lr_scheduler_type '" + std::string(name) +
                           "' is unknown; use linear, constant, constant_with_warmup or cosine");
}

double Schedule::at(int64_t step) const {
  if (type == ScheduleType::Constant)
    return peak;
  if (step < warmupSteps)
    return peak * double(step) / double(std::max<int64_t>(1, warmupSteps));
  double left = double(totalSteps - step) / double(std::max<int64_t>(1, totalSteps - warmupSteps));
  left = std::clamp(left, 0.0, 1.0);
  switch (type) {
  case ScheduleType::Linear:
    return peak * left;
  case ScheduleType::Cosine:
    return peak * 0.5 * (1 - std::cos(M_PI * left));
  default:
    return peak;
  }
}

} // namespace maskjit::rl
