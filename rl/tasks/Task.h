// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A task is an endless, reproducible stream of problems with verifiable answers, cut into disjoint splits.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

enum class Split { Sft, Train, HeldOut };

struct Problem {
  std::string prompt, answer;
};

class Task {
public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;
  /// The problem at `index` of the split's stream under `seed`; equal arguments give equal problems on every machine.
  virtual Problem draw(Split split, uint64_t seed, uint64_t index) const = 0;
  /// `count` different problems of the split.
  virtual std::vector<Problem> sample(Split split, uint64_t seed, size_t count) const = 0;
  /// What a careless teacher answers to the problem that draw() gives: the data of warm starts. `care` in [0, 1] is the
  /// chance of each step to be done right.
  virtual std::string carelessAnswer(Split split, uint64_t seed, uint64_t index, double care) const = 0;
};

/// "arithmetic". Throws std::runtime_error listing the known names.
std::unique_ptr<Task> findTask(std::string_view name);

} // namespace maskjit::rl
