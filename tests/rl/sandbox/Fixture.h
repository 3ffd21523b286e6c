// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sandboxes for tests: with all layers of this machine, and with its namespaces left out.
#pragma once
#include "rl/sandbox/SandboxedProcess.h"
#include <gtest/gtest.h>
#include <ostream>

namespace maskjit::rl {

/// With the namespaces that this machine has, or as on a machine without.
enum class Walls { All, NoNamespaces };
inline std::ostream &operator<<(std::ostream &out, Walls walls) {
  return out << (walls == Walls::All ? "AllLayers" : "NoNamespaces");
}

std::set<SandboxLayer> layersOf(Walls walls);

/// A Python worker that runs `source`, which may call receive() -> bytes and reply(bytes).
SandboxOptions pythonWorker(const std::string &source, Walls walls = Walls::All);

/// The living processes whose parent is `parent`, zombies included.
std::vector<int> childrenOf(int parent);

#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message

} // namespace maskjit::rl
