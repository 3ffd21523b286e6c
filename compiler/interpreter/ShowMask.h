// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask drawn as text: which keys each query attends, and what the compiler knows of its tiles.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

struct ShowOptions {
  int64_t queries = 32, keys = 32;
  int64_t tileQueries = 8, tileKeys = 8;
  int64_t batch = 0, head = 0;
  /// By name; one number for a scalar, the elements of an array. The others take their defaults.
  std::map<std::string, std::vector<double>> params;
  bool ascii = false;
};

/// Sides of a grid beyond this are refused: it is to be looked at.
constexpr int64_t kMaxShown = 512;

/// The grid, the tiles with their classes and ranges of keys, and how many there are of each class.
Result<std::string> showMask(const Mask &mask, const ShowOptions &options);

} // namespace maskjit
