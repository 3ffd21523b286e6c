// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A warm program in a sandbox that forks one worker a candidate: a Python worker in 1 ms instead of 15.
#pragma once
#include "rl/sandbox/Descriptor.h"
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/SandboxedProcess.h"

namespace maskjit::rl {

/// The program starts as any worker does; where it first reads a request, the lock-down library forks instead, as often
/// as the parent asks, and each child locks itself down and reads its own request channel.
///
/// Why candidates stay apart: a child is forked from a process that no candidate ever touched, with memory of its own
/// (copy on write), a channel of its own and no other descriptor. The walls around the zygote (file view, network,
/// Landlock, identity) hold for its children. Siblings share its pid namespace, but the final filter refuses every call
/// by which one process reaches another: signals but to itself, ptrace, process_vm_*, pidfd_*, and there is no /proc,
/// no file and no socket to meet at. Children share the layout of their addresses and Python's hash seed.
class Zygote {
public:
  static Result<std::unique_ptr<Zygote>> start(const SandboxOptions &options);

  /// A worker, a moment later ready. Any thread may call it. An error where the zygote has died.
  Result<SandboxedProcess> fork();

private:
  Zygote(SandboxTemplate kind, SandboxedProcess process, Descriptor orders)
      : kind(std::move(kind)), process(std::move(process)), orders(std::move(orders)) {}

  const SandboxTemplate kind;
  SandboxedProcess process;
  Descriptor orders;
};

} // namespace maskjit::rl
