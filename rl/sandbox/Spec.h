// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the library tells the program maskjit-sandbox: one CBOR document in a memory file, and the numbers both agree
// on.
#pragma once
#include "rl/sandbox/Sandbox.h"

namespace maskjit::rl {

/// Descriptors of maskjit-sandbox when it starts.
enum SupervisorDescriptor : int {
  kSupervisorRequests = 3,
  kSupervisorReplies = 4,
  kSupervisorShared = 5, // closed when there is no shared memory
  kSupervisorSpec = 6,
  kSupervisorControl = 7, // a socket: its other end closes when the parent ends, whatever way
};

/// Event on the control socket. `Failed` carries its text after the struct.
struct SupervisorEvent {
  enum Kind : int32_t { Started = 1, Failed, Ended };
  int32_t kind;
  int32_t pid;                 // Started: the worker, as the parent's process sees it
  int32_t status;              // Ended: as waitpid gives it
  int64_t cpuMicroseconds = 0; // Ended: what it used
};

struct SandboxSpec {
  std::vector<std::string> argv, files, hidden;
  std::set<SandboxLayer> layers;
  SandboxLimits limits;
  bool messages = true; // SandboxChannel::Messages
  int cpu = -1;
  std::string lockdown;                 // path of libmaskjit_lockdown.so; empty: none
  std::string startFilter, finalFilter; // arrays of struct sock_filter

  std::string encode() const;
  static SandboxSpec decode(const std::string &bytes);
};

} // namespace maskjit::rl
