// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What stands between a policy and a reward it has not earned. Each can be taken away, to study what happens without
// it.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace maskjit::rl {

struct CounterMeasures {
  bool staticFilter = true;       // a look at the source; C links against the functions that compilers emit alone
  bool judgesClock = true;        // off: the time that the worker reports counts; C programs may set `judge_clock`
  bool freshInputs = true;        // off: every trial of a program has the inputs of the first
  bool everyTrialVerified = true; // off: the result of the untimed first call alone is checked
  bool tightBound = true;         // off: an error of 5% of the largest element passes, and so does what is not a number
  bool ownInputs = true;          // off: the expected result is made from the inputs as the program left them
  bool cleanOutput = true;        // off: the output starts as the last right result, not as NaN
  bool exactTypes = true;         // off: Python's result is converted by its own methods
  bool speedLimit = true;         // off: a speed beyond the machine's limit counts
  bool idleWatched = true;        // off: the worker may run while the reference is timed
  bool noiseTest = true;          // off: any ratio above 1 counts
};

/// The names of the switches, as `--without` takes them: "static_filter", "judges_clock", ...
const std::vector<std::pair<std::string, bool CounterMeasures::*>> &counterMeasureNames();

} // namespace maskjit::rl
