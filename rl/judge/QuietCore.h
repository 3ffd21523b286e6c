// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether a core computes at its full rate: others on the same silicon, unseen by the operating system (the other
// hyperthread, another virtual machine's), slow a kernel that fills its issue slots far more than one that waits for
// its own results, and so change how fast one is beside the other.
#pragma once

namespace maskjit::rl {

/// Of the core that its threads are pinned to. Not for two threads at once.
class QuietCore {
public:
  /// Runs a short loop over the first-level cache: whether it takes no longer than it ever did, but for a few percent.
  bool isQuiet();
  /// Looks every few milliseconds until the core is quiet. `patienceSeconds` is lowered by what this takes; without any
  /// left it returns at once.
  void await(double &patienceSeconds);

private:
  void calibrate();

  double least = 0; // seconds; 0: not known yet
};

} // namespace maskjit::rl
