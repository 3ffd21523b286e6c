// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tasks that ship, by name.
#include "rl/tasks/Arithmetic.h"
#include "rl/tasks/Matmul.h"
#include "rl/tasks/MatmulSchedule.h"
#include <stdexcept>

namespace maskjit::rl {

Result<std::string> Task::program(const Judged &) const { return Error{"answers of " + name() + " are no programs"}; }

std::unique_ptr<Task> findTask(std::string_view name) {
  if (name == "arithmetic")
    return std::make_unique<Arithmetic>();
  if (name == "matmul")
    return std::make_unique<Matmul>();
  if (name == "matmul-schedule")
    return std::make_unique<MatmulSchedule>();
  if (name == "matmul-schedule-tricks") // of the study of reward hacking
    return std::make_unique<MatmulSchedule>(Grammar::WithTricks);
  throw std::runtime_error("task '" + std::string(name) +
                           "' is unknown; there are: arithmetic, matmul, matmul-schedule, matmul-schedule-tricks");
}

} // namespace maskjit::rl
