// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the library tells the program maskjit-sandbox: one CBOR document in a memory file, and the numbers both agree
// on.
#pragma once
#include "rl/sandbox/Orders.h"
#include "rl/sandbox/Sandbox.h"

namespace maskjit::rl {

/// Descriptors of maskjit-sandbox when it starts.
enum SupervisorDescriptor : int {
  kSupervisorRequests = 3,
  kSupervisorReplies = 4,
  kSupervisorShared = 5, // closed when there is no shared memory
  kSupervisorSpec = 6,
  kSupervisorControl = 7, // a socket: its other end closes when the parent ends, whatever way
  kSupervisorZygote = 8,  // where a zygote takes its orders; closed for any other worker
};

struct SandboxSpec {
  std::vector<std::string> argv, files, hidden;
  std::set<SandboxLayer> layers;
  SandboxLimits limits;
  bool messages = true; // SandboxChannel::Messages
  bool zygote = false;  // the worker forks others, see Zygote.h
  int cpu = -1;
  std::string lockdown;                 // path of libmaskjit_lockdown.so; empty: none
  std::string startFilter, finalFilter; // arrays of struct sock_filter

  std::string encode() const;
  static SandboxSpec decode(const std::string &bytes);
};

} // namespace maskjit::rl
