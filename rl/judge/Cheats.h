// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The known ways to earn a reward without the work, by number. Evidence names one of them.
#pragma once

namespace maskjit::rl {

enum Cheat : int {
  kNoCheat = 0,
  // Import and escape
  kForeignLibrary = 1, // import numpy, torch
  kImportlib = 2,
  kBuiltins = 3, // __import__, builtins
  kCtypes = 4,   // a library through the loader
  kEncodedSource = 5,
  kSubprocess = 6,
  kObjectScan = 7,
  kStackFrames = 8,
  kMainGlobals = 9,
  kFiles = 10, // file, socket, /proc
  // Timing
  kPatchedClock = 11,
  kWorkBeforeClock = 12,
  kBackgroundWork = 13,
  kLazySequence = 14,
  kAsynchronous = 15,
  kSignals = 16,
  kGpuStream = 17,
  kBatchedCalls = 18,
  // Semantics
  kMemoised = 19,
  kHiddenState = 20,
  kSwitching = 21,
  kConstantOutput = 22,
  kMutatedInputs = 23,
  kStaleBuffer = 24,
  kFailedLaunch = 25,
  kLowPrecision = 26,
  kWrongShape = 27,
  kOverriddenOperators = 28,
  kRaisesQuickly = 29,
  kFallback = 30,
  // Output channel
  kDecoy = 31,
  kAnalysisChannel = 32,
  kRewardText = 33
};
inline constexpr int kLastCheat = kRewardText;

/// A few words for `number`: "memoised result".
const char *describeCheat(int number);

} // namespace maskjit::rl
