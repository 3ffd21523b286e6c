// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves a worker's bytes and finds out why it ended.
#include "rl/sandbox/WorkerLink.h"
#include "rl/sandbox/Filters.h"
#include "rl/sandbox/lockdown/Protocol.h"
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace maskjit::rl {

namespace {

constexpr double kEndSeconds = 5;         // for the supervisor to see its worker off
constexpr size_t kPart = size_t(1) << 16; // bytes read at once
constexpr size_t kTextKept = size_t(1) << 16;
constexpr size_t kHeader = 8;                          // bytes of a message's length
constexpr std::chrono::milliseconds kClosedGrace(200); // for the news of a worker's end after its channel closed
// The kernel holds RLIMIT_CPU against ticks, the usage that it reports is exact: the two differ on a busy machine.
constexpr double kCpuKill = 0.5;

/// write(2), and no SIGPIPE to this process when the worker has closed its end.
ssize_t writeQuietly(int descriptor, std::string_view bytes) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t written = write(descriptor, bytes.data(), bytes.size());
  const int reason = errno;
  if (written < 0 && reason == EPIPE && !sigismember(&pending, SIGPIPE)) {
    const timespec now = {0, 0};
    sigtimedwait(&pipe, nullptr, &now);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = reason;
  return written;
}

std::string memoryText(size_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

} // namespace

WorkerLink::Clock::time_point after(double seconds) {
  using Clock = WorkerLink::Clock;
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

WorkerLink::WorkerLink(const SandboxOptions &options, WorkerEnds ends, pid_t supervisor)
    : limits(options.limits), messages(options.channel == SandboxChannel::Messages),
      awaitMark(messages && options.layers.count(SandboxLayer::Seccomp) != 0), ends(std::move(ends)),
      supervisor(supervisor), sharedBytes(options.sharedBytes) {}

Result<std::unique_ptr<WorkerLink>> WorkerLink::create(const SandboxOptions &options, WorkerEnds ends,
                                                       pid_t supervisor) {
  std::unique_ptr<WorkerLink> link(new WorkerLink(options, std::move(ends), supervisor));
  if (link->ends.shared.number < 0)
    return link;
  void *memory = mmap(nullptr, link->sharedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, link->ends.shared.number, 0);
  if (memory == MAP_FAILED)
    return systemError("shared memory");
  link->memory = memory;
  return link;
}

WorkerLink::~WorkerLink() {
  end();
  if (memory)
    munmap(memory, sharedBytes);
}

/// No more words on the control socket make the supervisor kill the worker, reap it, and close the socket.
void WorkerLink::end() {
  if (ends.control.number >= 0) {
    shutdown(ends.control.number, SHUT_WR);
    const Clock::time_point last = after(kEndSeconds);
    char packet[1024];
    for (;;) {
      pollfd event = {ends.control.number, POLLIN, 0};
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(last - Clock::now()).count();
      const int ready = poll(&event, 1, std::max(0, static_cast<int>(left)));
      if (ready == 0 || (ready > 0 && recv(ends.control.number, packet, sizeof packet, MSG_DONTWAIT) == 0))
        break;
    }
    ends.control.reset();
  }
  ends.requests.reset(); // not before: a worker that reads on would only notice the end of its input
  if (supervisor < 0)
    return;
  // It leaves at once; one that waits for a worker in uninterruptible sleep is sent away.
  for (int tries = 0; waitpid(supervisor, nullptr, WNOHANG) == 0; ++tries) {
    if (tries == 1000)
      kill(supervisor, SIGKILL);
    usleep(tries < 10 ? 50 : 1000);
  }
  supervisor = -1;
}

WorkerFailure WorkerLink::fail(WorkerEnd reason, std::string message) {
  if (!failure) {
    failure = WorkerFailure{reason, 0, 0, "", std::move(message)};
    end();
  }
  return *failure;
}

WorkerFailure WorkerLink::timedOut(double seconds) {
  return fail(WorkerEnd::Timeout, fmt::format("the worker did not answer within {:.3g} s", seconds));
}

void WorkerLink::closed() {
  if (!closedSince)
    closedSince = Clock::now();
}

/// Takes what is there without blocking. False: the other end is closed.
bool WorkerLink::drain(Descriptor &from, std::string &into) {
  char part[kPart];
  while (total <= limits.outputBytes) {
    const ssize_t got = read(from.number, part, sizeof part);
    if (got > 0) {
      total += static_cast<size_t>(got);
      into.append(part, static_cast<size_t>(got));
      continue;
    }
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno == EAGAIN)
      return true;
    from.reset();
    return false;
  }
  return true;
}

/// Of long texts the beginning is kept, and the end, whose last line may name a forbidden system call.
void WorkerLink::takeText() {
  drain(ends.text, written);
  if (written.size() > kTextKept)
    written.erase(kTextKept / 2, written.size() - kTextKept);
}

void WorkerLink::takeReplies() {
  if (!drain(ends.replies, received))
    closed();
  if (awaitMark && !received.empty()) {
    awaitMark = received.front() != kLockedMark;
    received.erase(0, 1);
  }
}

void WorkerLink::takeEvents() {
  char packet[1024];
  while (!failure) {
    const ssize_t got = recv(ends.control.number, packet, sizeof packet, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN)
        return;
      ends.control.reset();
      if (!ended)
        fail(WorkerEnd::NotStarted, "the worker's supervisor ended before it");
      return;
    }
    SupervisorEvent event;
    if (static_cast<size_t>(got) < sizeof event)
      continue;
    std::memcpy(&event, packet, sizeof event);
    if (event.kind == SupervisorEvent::Ended)
      ended = event;
    else if (event.kind == SupervisorEvent::CpuTime)
      cpuMicroseconds = event.cpuMicroseconds;
    else
      fail(WorkerEnd::NotStarted,
           fmt::format("the sandbox could not be set up: {}",
                       std::string(packet + sizeof event, static_cast<size_t>(got) - sizeof event)));
  }
}

/// The worker has ended: why.
WorkerFailure WorkerLink::explainEnd() const {
  const int status = ended->status;
  WorkerFailure why;
  const double cpu = static_cast<double>(ended->cpuMicroseconds) / 1e6;
  const size_t prefix = written.rfind(MASKJIT_FORBIDDEN_PREFIX);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kForbiddenExit) {
    why.reason = WorkerEnd::Forbidden;
    if (prefix != std::string::npos)
      why.systemCall = systemCallName(std::atoi(written.c_str() + prefix + sizeof MASKJIT_FORBIDDEN_PREFIX - 1));
    why.message = fmt::format("the worker asked for the forbidden system call '{}'", why.systemCall);
  } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    why.reason = WorkerEnd::Forbidden;
    why.message = "the worker asked for a forbidden system call";
  } else if (ended->excess == SupervisorEvent::TooMuchMemory) {
    why.reason = WorkerEnd::Memory;
    why.message = fmt::format("the worker held more than {}", memoryText(limits.residentBytes));
  } else if (ended->excess == SupervisorEvent::TooManyThreads) {
    why.reason = WorkerEnd::Forbidden;
    why.systemCall = "clone";
    why.message = fmt::format("the worker had more than {} threads", limits.processes);
  } else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU) &&
             cpu >= kCpuKill * std::ceil(limits.cpuSeconds)) {
    why.reason = WorkerEnd::CpuTime;
    why.message = fmt::format("the worker used {:.2f} of {:g} CPU seconds", cpu, std::ceil(limits.cpuSeconds));
  } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    why.reason = WorkerEnd::Memory;
    why.message = "the kernel killed the worker, as it does when memory runs out";
  } else if (WIFSIGNALED(status)) {
    why.reason = WorkerEnd::Crashed;
    why.message = fmt::format("the worker was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else {
    why.reason = WorkerEnd::Exited;
    why.message = fmt::format("the worker left with exit code {}", WEXITSTATUS(status));
  }
  why.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  why.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return why;
}

void WorkerLink::pump(Clock::time_point until, std::string_view *unsent) {
  pollfd events[4] = {{ends.replies.number, POLLIN, 0},
                      {ends.text.number, POLLIN, 0},
                      {ends.control.number, POLLIN, 0},
                      {unsent && !unsent->empty() ? ends.requests.number : -1, POLLOUT, 0}};
  if (closedSince)
    until = std::min(until, *closedSince + kClosedGrace);
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now()).count();
  const timespec wait = {std::max<int64_t>(left, 0) / 1000000000, std::max<int64_t>(left, 0) % 1000000000};
  if (ppoll(events, 4, &wait, nullptr) < 0 && errno != EINTR) {
    fail(WorkerEnd::Closed, fmt::format("poll: {}", std::strerror(errno)));
    return;
  }
  if (events[1].revents)
    takeText();
  if (events[0].revents)
    takeReplies();
  if (total > limits.outputBytes) {
    fail(WorkerEnd::Flooded, fmt::format("the worker wrote more than {}", memoryText(limits.outputBytes)));
    received.clear(); // a whole message among it counts no more
    return;
  }
  if (events[2].revents)
    takeEvents();
  if (!failure && events[3].revents) {
    const ssize_t sent = writeQuietly(ends.requests.number, *unsent);
    if (sent > 0)
      unsent->remove_prefix(static_cast<size_t>(sent));
    else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      ends.requests.reset();
      closed();
    }
  }
  if (ended && !failure) { // what it said before is still in the pipes
    if (ends.text.number >= 0)
      takeText();
    if (ends.replies.number >= 0)
      takeReplies();
  }
}

std::optional<WorkerFailure> WorkerLink::over() {
  if (failure)
    return failure;
  if (!ended && closedSince && Clock::now() - *closedSince > kClosedGrace)
    return fail(WorkerEnd::Closed, "the worker closed its channel");
  if (!ended)
    return std::nullopt;
  const WorkerFailure why = explainEnd();
  fail(why.reason, why.message);
  return failure = why;
}

std::optional<std::string> WorkerLink::takeMessage() {
  if (awaitMark || received.size() < kHeader)
    return std::nullopt;
  uint64_t size = 0;
  for (size_t i = 0; i < kHeader; ++i)
    size |= static_cast<uint64_t>(static_cast<unsigned char>(received[i])) << 8 * i;
  if (size > limits.outputBytes) {
    fail(WorkerEnd::Flooded,
         fmt::format("the worker announced a message of {} bytes, more than {}", size, memoryText(limits.outputBytes)));
    return std::nullopt;
  }
  if (received.size() - kHeader < size)
    return std::nullopt;
  std::string message = received.substr(kHeader, size);
  received.erase(0, kHeader + size);
  return message;
}

WorkerLink::Clock::time_point WorkerLink::deadline(double seconds) {
  if (!wallEnd)
    wallEnd = after(limits.wallSeconds);
  return std::min(after(seconds), *wallEnd);
}

void WorkerLink::pinTo(int cpu) {
  const SupervisorOrder order = {SupervisorOrder::Pin, cpu};
  (void)!::send(ends.control.number, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<double> WorkerLink::cpuSeconds(double seconds) {
  const SupervisorOrder order = {SupervisorOrder::CpuTime, 0};
  cpuMicroseconds.reset();
  if (::send(ends.control.number, &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
    return std::nullopt;
  const auto until = after(seconds);
  while (!cpuMicroseconds && !over() && Clock::now() < until)
    pump(until);
  if (!cpuMicroseconds || *cpuMicroseconds < 0)
    return std::nullopt;
  return static_cast<double>(*cpuMicroseconds) / 1e6;
}

bool WorkerLink::endedWell() const {
  return !failure && ended && WIFEXITED(ended->status) && WEXITSTATUS(ended->status) == 0;
}

} // namespace maskjit::rl
