// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a launch of a step program to the argument block of its kernel.
#pragma once
#include "compiler/device/step_args.h"
#include "runtime/step/Step.h"
#include <variant>

namespace maskjit {

/// Where the values of a step program lie.
struct StepMemory {
  const StepProgram &program;
  const StepInputs &inputs;
  const std::vector<void *> &memories; // by StepValue::memory
  const StepSampling &sampling;
  int rows; // slots

  const StepInput &input(int value) const { return inputs.at(program.values[value].input); }
  void *data(int value) const; // null for -1
  void *data(const StepLaunch &launch, const std::string &role) const { return data(launch.value(role)); }
};

using StepArgs =
    std::variant<device::EmbedArgs, device::NormArgs, device::LinearArgs, device::LinearNf4StepArgs, device::RopeArgs,
                 device::AppendArgs, device::AddArgs, device::RouteArgs, device::SampleArgs>;
/// Of every operation but attention and experts.
StepArgs fillArgs(const StepMemory &memory, const StepLaunch &launch);

/// log2 of a page size.
int pageShift(int64_t pageSize);

} // namespace maskjit
