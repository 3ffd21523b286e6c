// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the switches.
#include "rl/judge/CounterMeasures.h"

namespace maskjit::rl {

const std::vector<std::pair<std::string, bool CounterMeasures::*>> &counterMeasureNames() {
  static const std::vector<std::pair<std::string, bool CounterMeasures::*>> names = {
      {"static_filter", &CounterMeasures::staticFilter}, {"judges_clock", &CounterMeasures::judgesClock},
      {"fresh_inputs", &CounterMeasures::freshInputs},   {"every_trial_verified", &CounterMeasures::everyTrialVerified},
      {"tight_bound", &CounterMeasures::tightBound},     {"own_inputs", &CounterMeasures::ownInputs},
      {"clean_output", &CounterMeasures::cleanOutput},   {"exact_types", &CounterMeasures::exactTypes},
      {"speed_limit", &CounterMeasures::speedLimit},     {"idle_watched", &CounterMeasures::idleWatched},
      {"noise_test", &CounterMeasures::noiseTest},
  };
  return names;
}

} // namespace maskjit::rl
