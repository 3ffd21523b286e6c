// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is an endless, reproducible stream of problems with verifiable answers, cut into disjoint splits.
#pragma once
#include "compiler/Result.h"
#include "rl/judge/Verdict.h"
#include "rl/rewards/Reward.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

enum class Split { Sft, Train, HeldOut };

struct Problem {
  std::string prompt, answer;
};

/// What evaluations and warm starts count of a completion, each 0 or 1.
struct Grade {
  double correct = 0, formatted = 0;
};

class Task {
public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;
  /// The problem at `index` of the split's stream under `seed`; equal arguments give equal problems on every machine.
  virtual Problem draw(Split split, uint64_t seed, uint64_t index) const = 0;
  /// `count` problems of the split, different ones where the task has so many.
  virtual std::vector<Problem> sample(Split split, uint64_t seed, size_t count) const = 0;
  /// What the teacher of warm starts answers to the problem that draw() gives. `care` in [0, 1] is the chance of each
  /// step to be done right, for tasks with steps.
  virtual std::string teacherAnswer(Split split, uint64_t seed, uint64_t index, double care) const = 0;
  virtual Grade grade(const Judged &judged) const = 0;
  /// Of the completions that evaluations grade; 0: greedy.
  virtual double evaluationTemperature() const { return 0; }
  /// What the share of correct grades is, in words.
  virtual std::string gradeName() const { return "held-out accuracy"; }

  /// The language of the programs that answer the task's problems; nullopt: answers are texts, nothing is run.
  virtual std::optional<Language> language() const { return std::nullopt; }
  /// The program that a completion holds, or why it holds none. Only for tasks with a language.
  virtual Result<std::string> program(const Judged &judged) const;
};

/// "arithmetic", "matmul", "matmul-schedule". Throws std::runtime_error listing the known names.
std::unique_ptr<Task> findTask(std::string_view name);

} // namespace maskjit::rl
