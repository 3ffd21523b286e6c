// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One worker in a sandbox: messages in and out, and an end that takes everything of it away.
#pragma once
#include "rl/sandbox/Sandbox.h"
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace maskjit::rl {

class SandboxTemplate; // SandboxTemplate.h
class WorkerLink;

enum class WorkerEnd {
  Timeout,   // no answer in time; killed
  Crashed,   // a signal: see `signal`
  Exited,    // left by itself: see `exitCode`
  Flooded,   // wrote more than outputBytes; killed
  Memory,    // held more memory than allowed; killed
  CpuTime,   // used up its CPU seconds
  Forbidden, // a system call that no honest candidate makes, too many threads: see `systemCall`
  Closed,    // closed its channel, or spoke out of turn; killed
  NotStarted // the sandbox could not be set up: see `message`
};
const char *nameOf(WorkerEnd end);

struct WorkerFailure {
  WorkerEnd reason = WorkerEnd::Closed;
  int signal = 0;
  int exitCode = 0;
  std::string systemCall; // its name, where it is known
  std::string message;    // one sentence for people
};

/// Bytes, or why there are none.
struct Reply {
  std::optional<std::string> bytes;
  WorkerFailure failure;

  explicit operator bool() const { return bytes.has_value(); }
  const std::string &operator*() const { return *bytes; }
};

/// A worker of the program maskjit-sandbox. Not for two threads at once; different workers are independent.
///
/// Lock-down: a worker with SandboxChannel::Messages starts its runtime under a first filter, which lets it open the
/// listed files. The preloaded library libmaskjit_lockdown.so installs the final filter when the program calls
/// read(3, ...) for the first time (os.read in Python, read in C), and marks that on the reply channel before anything
/// else. So a runner imports what it needs, then reads its first request; it need not know of the sandbox. send() waits
/// for the mark: no byte of a candidate reaches a worker that is not locked down. The program must be dynamically
/// linked. From then on it can compute, read and write its channel and map memory; it cannot open files, start threads
/// (unless limits.processes > 1) or processes, install signal handlers or set timers.
class SandboxedProcess {
public:
  static Result<SandboxedProcess> start(const SandboxOptions &options);
  /// The same, of a kind that was prepared before (0.2 ms of the caller's time).
  static Result<SandboxedProcess> start(const SandboxTemplate &kind);
  SandboxedProcess(SandboxedProcess &&) noexcept;
  SandboxedProcess &operator=(SandboxedProcess &&) noexcept;
  /// Kills the worker with all it started and waits until it is gone.
  ~SandboxedProcess();

  /// Whether the worker is locked down and waits for its first request. Does not block.
  bool isReady();
  /// Waits until then. std::nullopt: it is.
  std::optional<WorkerFailure> awaitReady(double seconds);

  /// Sends one message (raw bytes for SandboxChannel::Standard). std::nullopt: taken, or buffered by the kernel.
  std::optional<WorkerFailure> send(std::string_view bytes);
  /// The next message. After a failure the worker is dead and every call repeats the failure.
  Reply receive(double seconds);
  /// SandboxChannel::Standard: closes its input, then collects its output until it ends with exit code 0.
  Reply finish(double seconds);

  /// What it wrote to standard output and error so far (SandboxChannel::Standard: error only).
  std::string text() const;
  /// Memory of options.sharedBytes bytes, also mapped by the worker from descriptor 5; nullptr: none.
  void *shared() const;
  /// Moves the worker to a processor.
  void pinTo(int cpu);
  /// CPU time that it used so far with all its threads, by the kernel's accounts: other programs on the same core do
  /// not change it, nor can the worker. std::nullopt: it is gone.
  std::optional<double> cpuSeconds();

private:
  friend class Zygote;
  explicit SandboxedProcess(std::unique_ptr<WorkerLink> link);
  std::unique_ptr<WorkerLink> link;
};

} // namespace maskjit::rl
