// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where two models part: module by module, the error that one has made so far and the error that it makes itself.
#pragma once
#include "model/GptOss.h"
#include <functional>

namespace maskjit {

/// A module of one layer on the rows of a batch. Errors are |b - a| / |a| in the L2 norm.
struct ModuleDiff {
  int64_t layer = 0;                              // the number of layers: the head
  std::string module;                             // attention, router, experts, head
  bool inputsEqual = false, outputsEqual = false; // bit for bit, each model on its own values
  double outputError = 0;                         // each model on its own values: what has gathered
  double ownError = 0;                            // B on A's inputs: what this module adds
  double sameChoice = 1;                          // rows that take the same experts, or the same first token
};

using MakeModel = std::function<std::shared_ptr<GptOss>()>;

/// Makes and runs one model after the other, so that there is never more than one in memory.
std::vector<ModuleDiff> diffModels(const MakeModel &a, const MakeModel &b, const Batch &batch);

} // namespace maskjit
