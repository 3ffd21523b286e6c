// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attempts to leave a sandbox, one function each.
#pragma once
#include <cerrno>
#include <string>
#include <vector>

/// What the attempt may use: things of the parent that it must not reach.
struct Target {
  int parent = 0;                   // its process number
  int port = 0;                     // where it listens on 127.0.0.1
  std::string file, abstractSocket; // of its own
};

struct Probe {
  const char *name;
  /// True: it worked, the sandbox leaks. False: refused, with errno.
  bool (*attempt)(const Target &);
};

std::vector<Probe> fileProbes();
std::vector<Probe> processProbes();
std::vector<Probe> kernelProbes();
