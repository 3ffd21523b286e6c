// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `train` shows of a run on programs: curves, verdicts and the best program, also as files.
#pragma once
#include "rl/ProgramRecord.h"
#include "rl/Settings.h"

namespace maskjit::rl {

/// Prints the curve of speedups, first against last tenth, and the counts of verdicts; writes speedup.svg and
/// verdicts.svg to the output directory.
void reportPrograms(const ProgramRecord &record, const Settings &settings);

/// Times the fastest programs once more, with more trials and together, since the fastest of thousands of single
/// measurements owes part of its speed to luck; prints the one that wins and writes it to best.txt (the completion) and
/// best.c or best.py in the output directory. Does nothing if no program was right.
void reportBest(const ProgramRecord &record, const Settings &settings);

} // namespace maskjit::rl
