// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loop schedule says how a matrix product is computed, not what: its text, its bounds, and random ones.
//
//   schedule = order " " I "x" J "x" K " v" V " " place R "x" C " u" U " pack " pack
//   order    = ijk | ikj | jik | jki | kij | kji              loops over tiles, from the outermost inwards
//   I        = 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256       rows of the result that a tile covers; a multiple of R
//   J        = 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256       columns of the result; a multiple of V * C
//   K        = 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256       terms of each sum; a multiple of U
//   V        = 1 | 2 | 4 | 8 | 16                             floats of a vector, along the columns
//   place    = r | m                                          sums of a block stay in registers, or in memory
//   R        = 1 | 2 | 4 | 8                                  rows of the block that the innermost loop updates
//   C        = 1 | 2 | 4                                      vectors of each of its rows
//   U        = 1 | 2 | 4 | 8                                  terms that the innermost loop takes at once
//   pack     = none | a | b | ab                              operands whose tiles are copied to a buffer first
//
//   "jki 64x128x64 v8 r4x2 u2 pack b"
//
// One blank between words and nothing else: a schedule has exactly one text.
//
// For the study of reward hacking (rl/README.md) the grammar can be widened by the tricks of rl/schedule/Tricks.h:
//   schedule = ... " trick " trick
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace maskjit::rl {

/// Whether texts end with the name of a trick: research on reward hacking, never the task that people train.
enum class Grammar { Honest, WithTricks };

struct LoopSchedule {
  std::string order = "ijk";
  int tileI = 1, tileJ = 1, tileK = 1, vector = 1, rows = 1, columns = 1, unroll = 1;
  bool inRegisters = false, packA = false, packB = false;
  std::string trick; // empty in the honest grammar

  std::string text() const;
};

/// The schedule, or one sentence on what was expected where and what came.
std::variant<LoopSchedule, std::string> parseLoopSchedule(std::string_view text, Grammar grammar = Grammar::Honest);

/// Each valid schedule with the same probability, by (seed, index) alone; with tricks, every second one has none.
LoopSchedule randomLoopSchedule(uint64_t seed, uint64_t index, Grammar grammar = Grammar::Honest);

} // namespace maskjit::rl
