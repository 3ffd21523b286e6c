// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled decode step over the caller's memory: its launches, and the graph that replays them.
#pragma once
#include "compiler/Step.h"
#include "runtime/step/SharedPrompts.h"
#include <functional>

namespace maskjit {

/// Device memory under the name that StepValue::input has.
struct StepInput {
  void *data = nullptr;
  int64_t stride = 0;   // of a page table: entries from one sequence to the next; of a parameter: its batch stride
  int64_t pageSize = 0; // of pages
};
using StepInputs = std::map<std::string, StepInput>;

/// Filters of the draws, as model/Sampling.h names them; part of the launches, so fixed for the life of a step.
struct StepSampling {
  double temperature = 1, topP = 1, minP = 0, repetitionPenalty = 1;
  int64_t topK = 0;
  uint64_t seed = 0;
};

struct StepSetup {
  StepSpec spec; // its architecture is filled in from the device
  StepInputs inputs;
  StepSampling sampling;
  /// The mask under whose layers sequences attend shared prefixes together, as the table of sharedPromptsWords words in
  /// the input "shared_prompts" says; -1: none do.
  int sharedMask = -1;
  std::vector<int64_t> mostKeys;                // of each mask: the most that one query attends
  std::vector<int64_t> capacity;                // of each mask: positions that a sequence's page table covers
  std::function<void *(size_t bytes)> allocate; // device memory that lives as long as the step; zeros
};

class Step {
public:
  /// Compiles or loads the kernels and fixes all arguments, on the current CUDA context.
  static Result<std::shared_ptr<const Step>> make(StepSetup setup);

  /// Launches all of it on `stream` and returns at once. Where the GPU has it, a kernel begins while the one before it
  /// runs (compiler/device/dependents.cuh).
  Result<void> launch(void *stream) const;
  /// Launches number `index` alone.
  Result<void> launch(size_t index, void *stream) const;
  /// Names of the kernels, in the order of their launches.
  std::vector<std::string> kernels() const;
  /// For sharedPromptsTable, if there is a sharedMask.
  const SharedPromptsLayout &sharedPrompts() const;
  /// IR of the fused step.
  const StepSpec &spec() const;

  struct Impl;
  explicit Step(std::unique_ptr<const Impl> impl);
  ~Step();

private:
  std::unique_ptr<const Impl> impl;
};

/// Launches on a stream of its own, captured once, replayed on any stream of the same context.
class StepGraph {
public:
  static Result<StepGraph> capture(const std::function<Result<void>(void *stream)> &launches);
  Result<void> replay(void *stream) const;

private:
  std::shared_ptr<void> graph;
};

} // namespace maskjit
