// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of a matrix product as a task.
#include "rl/tasks/MatmulSchedule.h"
#include "rl/schedule/Kernel.h"

namespace maskjit::rl {

std::string MatmulSchedule::name() const {
  return grammar == Grammar::Honest ? "matmul-schedule" : "matmul-schedule-tricks";
}

Problem MatmulSchedule::draw(Split, uint64_t, uint64_t) const { return {"matmul: ", ""}; }

std::vector<Problem> MatmulSchedule::sample(Split split, uint64_t seed, size_t count) const {
  return std::vector<Problem>(count, draw(split, seed, 0));
}

std::string MatmulSchedule::teacherAnswer(Split, uint64_t seed, uint64_t index, double) const {
  return randomLoopSchedule(seed, index, grammar).text();
}

Grade MatmulSchedule::grade(const Judged &judged) const {
  double valid = program(judged) ? 1 : 0;
  return {valid, valid};
}

Result<std::string> MatmulSchedule::program(const Judged &judged) const {
  if (!judged.finished)
    return Error{"the schedule does not end"};
  auto parsed = parseLoopSchedule(judged.completion, grammar);
  if (auto *why = std::get_if<std::string>(&parsed))
    return Error{"no valid schedule: " + *why};
  return kernelSource(std::get<LoopSchedule>(parsed));
}

} // namespace maskjit::rl
