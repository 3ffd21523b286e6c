// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parent's side of one worker: its pipes, what came through them, and how it ended.
#pragma once
#include "rl/sandbox/Descriptor.h"
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/SandboxedProcess.h"
#include "rl/sandbox/Spec.h"

namespace maskjit::rl {

class WorkerLink {
public:
  using Clock = std::chrono::steady_clock;

  /// `supervisor`: the child process that stands beside the worker; -1: the worker's supervisor is a zygote.
  static Result<std::unique_ptr<WorkerLink>> create(const SandboxOptions &options, WorkerEnds ends, pid_t supervisor);
  WorkerLink(const WorkerLink &) = delete;
  WorkerLink &operator=(const WorkerLink &) = delete;
  ~WorkerLink();

  bool awaitingMark() const { return awaitMark; }
  /// One round of waiting, until `until` at most, and of moving bytes; `unsent` shrinks as the worker reads.
  void pump(Clock::time_point until, std::string_view *unsent = nullptr);
  /// Why there will be nothing more; std::nullopt: the worker lives.
  std::optional<WorkerFailure> over();
  WorkerFailure fail(WorkerEnd reason, std::string message);
  WorkerFailure timedOut(double seconds);

  /// The next whole message, if it is there.
  std::optional<std::string> takeMessage();
  std::string takeAll() { return std::move(received); }
  /// Something of it is there, a whole message or its beginning.
  bool answered() const { return !received.empty(); }
  /// `seconds` from now, but not past the worker's wall time, which this call starts.
  Clock::time_point deadline(double seconds);
  /// A new request: what comes from here on counts towards its output.
  void countAnew() { total = 0; }
  void closeInput() { ends.requests.reset(); }
  void pinTo(int cpu);
  std::optional<double> cpuSeconds(double seconds);

  bool endedWell() const;
  const std::string &text() const { return written; }
  void *shared() const { return memory; }
  const SandboxLimits limits;
  const bool messages;

private:
  WorkerLink(const SandboxOptions &options, WorkerEnds ends, pid_t supervisor);
  void end();
  bool drain(Descriptor &from, std::string &into);
  void takeText();
  void takeReplies();
  void takeEvents();
  void closed();
  WorkerFailure explainEnd() const;

  bool awaitMark;
  WorkerEnds ends;
  pid_t supervisor;
  const size_t sharedBytes;
  void *memory = nullptr;
  std::string received, written;          // from the reply channel, not yet handed out; from standard output and error
  size_t total = 0;                       // bytes of both since the last request
  std::optional<int64_t> cpuMicroseconds; // the supervisor's last answer
  std::optional<Clock::time_point> wallEnd;
  std::optional<Clock::time_point> closedSince; // it closed its channel, and lives so far
  std::optional<SupervisorEvent> ended;
  std::optional<WorkerFailure> failure;
};

WorkerLink::Clock::time_point after(double seconds);

} // namespace maskjit::rl
