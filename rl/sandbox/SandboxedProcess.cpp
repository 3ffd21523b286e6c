// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A worker for those who use it.
#include "rl/sandbox/SandboxedProcess.h"
#include "rl/sandbox/Spawn.h"
#include "rl/sandbox/WorkerLink.h"

namespace maskjit::rl {

constexpr double kStartSeconds = 30; // to warm up, on a busy machine

const char *nameOf(WorkerEnd end) {
  switch (end) {
  case WorkerEnd::Timeout:
    return "timeout";
  case WorkerEnd::Crashed:
    return "crashed";
  case WorkerEnd::Exited:
    return "exited";
  case WorkerEnd::Flooded:
    return "flooded";
  case WorkerEnd::Memory:
    return "memory";
  case WorkerEnd::CpuTime:
    return "cpu time";
  case WorkerEnd::Forbidden:
    return "forbidden";
  case WorkerEnd::Closed:
    return "closed";
  case WorkerEnd::NotStarted:
    return "not started";
  }
  return "";
}

SandboxedProcess::SandboxedProcess(std::unique_ptr<WorkerLink> link) : link(std::move(link)) {}
SandboxedProcess::SandboxedProcess(SandboxedProcess &&) noexcept = default;
SandboxedProcess &SandboxedProcess::operator=(SandboxedProcess &&) noexcept = default;
SandboxedProcess::~SandboxedProcess() = default;

Result<SandboxedProcess> SandboxedProcess::start(const SandboxOptions &options) {
  const Result<SandboxTemplate> prepared = SandboxTemplate::create(options);
  if (!prepared)
    return prepared.error();
  return start(*prepared);
}

Result<SandboxedProcess> SandboxedProcess::start(const SandboxTemplate &kind) {
  Result<std::unique_ptr<WorkerLink>> link = spawnSupervised(kind);
  if (!link)
    return link.error();
  return SandboxedProcess(std::move(*link));
}

bool SandboxedProcess::isReady() {
  if (link->awaitingMark() && !link->over())
    link->pump(WorkerLink::Clock::now());
  return !link->awaitingMark() && !link->over();
}

std::optional<WorkerFailure> SandboxedProcess::awaitReady(double seconds) {
  const auto until = after(seconds);
  while (link->awaitingMark()) {
    if (std::optional<WorkerFailure> over = link->over())
      return over;
    if (WorkerLink::Clock::now() >= until)
      return link->timedOut(seconds);
    link->pump(until);
  }
  return link->over();
}

std::optional<WorkerFailure> SandboxedProcess::send(std::string_view bytes) {
  if (std::optional<WorkerFailure> failure = awaitReady(kStartSeconds))
    return failure;
  const auto until = link->deadline(link->limits.wallSeconds);
  link->countAnew();
  uint64_t size = bytes.size();
  char header[sizeof size];
  for (char &byte : header) {
    byte = static_cast<char>(size);
    size >>= 8;
  }
  std::string_view parts[] = {link->messages ? std::string_view(header, sizeof header) : std::string_view(), bytes};
  for (std::string_view &part : parts)
    while (!part.empty()) {
      if (std::optional<WorkerFailure> over = link->over()) {
        if (!link->answered())
          return over;
        return std::nullopt; // it answered before it had read all, and left: receive() tells both
      }
      if (WorkerLink::Clock::now() >= until)
        return link->timedOut(link->limits.wallSeconds);
      link->pump(until, &part);
    }
  return std::nullopt;
}

Reply SandboxedProcess::receive(double seconds) {
  const auto until = link->deadline(seconds);
  for (;;) {
    if (std::optional<std::string> message = link->takeMessage())
      return {std::move(message), {}};
    if (std::optional<WorkerFailure> over = link->over())
      return {std::nullopt, *over};
    if (WorkerLink::Clock::now() >= until)
      return {std::nullopt, link->timedOut(seconds)};
    link->pump(until);
  }
}

Reply SandboxedProcess::finish(double seconds) {
  const auto until = link->deadline(seconds);
  link->closeInput();
  for (;;) {
    if (link->endedWell())
      return {link->takeAll(), {}};
    if (std::optional<WorkerFailure> over = link->over())
      return {std::nullopt, *over};
    if (WorkerLink::Clock::now() >= until)
      return {std::nullopt, link->timedOut(seconds)};
    link->pump(until);
  }
}

void SandboxedProcess::pinTo(int cpu) { link->pinTo(cpu); }
std::optional<double> SandboxedProcess::cpuSeconds() { return link->cpuSeconds(kStartSeconds); }
std::string SandboxedProcess::text() const { return link->text(); }
void *SandboxedProcess::shared() const { return link->shared(); }

} // namespace maskjit::rl
