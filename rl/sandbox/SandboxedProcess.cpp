// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A worker as its parent sees it: pipes, a deadline, and the reason of its end.
#include "rl/sandbox/SandboxedProcess.h"
#include "rl/sandbox/Filters.h"
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/Spec.h"
#include "rl/sandbox/lockdown/Protocol.h"
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace maskjit::rl {

using Clock = std::chrono::steady_clock;

namespace {

constexpr int kPipeBytes = 1 << 20;                    // of one channel, where the system allows it
constexpr double kStartSeconds = 30;                   // to warm up, on a busy machine
constexpr double kEndSeconds = 5;                      // for the supervisor to see its worker off
constexpr std::chrono::milliseconds kClosedGrace(500); // for the news of a worker's end after its channel closed
constexpr size_t kHeader = 8;                          // bytes of a message's length
constexpr size_t kPart = size_t(1) << 16;              // bytes read at once
constexpr size_t kTextKept = size_t(1) << 16;

/// A descriptor that closes itself.
struct Descriptor {
  int number = -1;

  Descriptor() = default;
  explicit Descriptor(int number) : number(number) {}
  Descriptor(Descriptor &&other) noexcept : number(std::exchange(other.number, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number, other.number);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset() {
    if (number >= 0)
      close(std::exchange(number, -1));
  }
};

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

bool makePipe(Descriptor &readEnd, Descriptor &writeEnd) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  readEnd = Descriptor(ends[0]);
  writeEnd = Descriptor(ends[1]);
  fcntl(ends[1], F_SETPIPE_SZ,
        kPipeBytes); // refused where a user's pipes are full; smaller ones only switch more often
  return true;
}

Error systemError(const char *what) { return Error{fmt::format("{}: {}", what, std::strerror(errno))}; }

std::string memoryText(size_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

} // namespace

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

struct SandboxedProcess::State {
  SandboxLimits limits;
  bool messages = true, awaitMark = false;
  pid_t supervisor = -1, worker = -1;
  Descriptor requests, replies, text, control, sharedFile;
  void *shared = nullptr;
  size_t sharedBytes = 0;
  std::string received, written; // from the reply channel, not yet handed out; from standard output and error
  size_t total = 0;              // bytes of both
  std::optional<Clock::time_point> wallEnd;
  std::optional<WorkerFailure> failure;
  std::optional<SupervisorEvent> ended;
  std::optional<Clock::time_point> closedSince; // it closed its channel, and lives so far

  ~State() {
    end();
    if (shared)
      munmap(shared, sharedBytes);
  }

  /// Closing the control socket makes the supervisor kill the worker, reap it and leave.
  void end() {
    requests.reset();
    control.reset();
    if (supervisor < 0)
      return;
    const Clock::time_point last = after(kEndSeconds);
    for (int wait = 0; waitpid(supervisor, nullptr, WNOHANG) == 0; ++wait) {
      if (Clock::now() > last) { // a worker in uninterruptible sleep: its supervisor goes without it
        kill(supervisor, SIGKILL);
        waitpid(supervisor, nullptr, 0);
        break;
      }
      usleep(wait < 20 ? 100 : 2000);
    }
    supervisor = -1;
  }

  WorkerFailure fail(WorkerEnd reason, std::string message) {
    if (!failure) {
      failure = WorkerFailure{reason, 0, 0, "", std::move(message)};
      end();
    }
    return *failure;
  }

  /// Takes what is there without blocking. False: the other end is closed.
  bool drain(Descriptor &from, std::string &into, size_t keep) {
    char part[kPart];
    for (;;) {
      const ssize_t got = read(from.number, part, sizeof part);
      if (got > 0) {
        total += static_cast<size_t>(got);
        if (into.size() < keep)
          into.append(part, std::min(static_cast<size_t>(got), keep - into.size()));
        else if (keep == kTextKept) // the last line may name a forbidden system call
          into.replace(keep / 2, std::string::npos, part, std::min(static_cast<size_t>(got), keep / 2));
        if (total > limits.outputBytes)
          return true;
        continue;
      }
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0 && errno == EAGAIN)
        return true;
      from.reset();
      return false;
    }
  }

  void takeReplies() {
    if (!drain(replies, received, limits.outputBytes) && !closedSince)
      closedSince = Clock::now();
    takeMark();
  }

  void takeMark() {
    if (awaitMark && !received.empty()) {
      awaitMark = received.front() != kLockedMark;
      received.erase(0, 1);
    }
  }

  void takeEvents() {
    char packet[1024];
    for (;;) {
      const ssize_t got = recv(control.number, packet, sizeof packet, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0) {
        if (got == 0)
          control.reset();
        return;
      }
      SupervisorEvent event;
      if (static_cast<size_t>(got) < sizeof event)
        continue;
      std::memcpy(&event, packet, sizeof event);
      if (event.kind == SupervisorEvent::Started)
        worker = event.pid;
      else if (event.kind == SupervisorEvent::Ended)
        ended = event;
      else
        fail(WorkerEnd::NotStarted,
             fmt::format("the sandbox could not be set up: {}",
                         std::string(packet + sizeof event, static_cast<size_t>(got) - sizeof event)));
      if (failure)
        return;
    }
  }

  /// The worker has ended: why.
  WorkerFailure explainEnd() {
    const int status = ended->status;
    WorkerFailure why;
    const double cpu = static_cast<double>(ended->cpuMicroseconds) / 1e6;
    const size_t prefix = written.rfind(MASKJIT_FORBIDDEN_PREFIX);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kForbiddenExit && prefix != std::string::npos) {
      why.reason = WorkerEnd::Forbidden;
      why.systemCall = systemCallName(std::atoi(written.c_str() + prefix + sizeof MASKJIT_FORBIDDEN_PREFIX - 1));
      why.message = fmt::format("the worker asked for the forbidden system call '{}'", why.systemCall);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
      why.reason = WorkerEnd::Forbidden;
      why.message = "the worker asked for a forbidden system call";
    } else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU) &&
               cpu >= 0.99 * std::ceil(limits.cpuSeconds)) {
      why.reason = WorkerEnd::CpuTime;
      why.message = fmt::format("the worker used {:.2f} of {:g} CPU seconds", cpu, std::ceil(limits.cpuSeconds));
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      why.reason = WorkerEnd::Memory;
      why.message = "the kernel killed the worker, as it does when memory runs out";
    } else if (WIFSIGNALED(status)) {
      why.reason = WorkerEnd::Crashed;
      why.message =
          fmt::format("the worker was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
      why.reason = WorkerEnd::Exited;
      why.message = fmt::format("the worker left with exit code {}", WEXITSTATUS(status));
    }
    why.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    why.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return why;
  }

  /// One round of waiting and moving bytes; `unsent` shrinks as the worker reads. Sets `failure` when it is over.
  void pump(Clock::time_point until, std::string_view *unsent) {
    pollfd events[4] = {{replies.number, POLLIN, 0},
                        {text.number, POLLIN, 0},
                        {control.number, POLLIN, 0},
                        {unsent && !unsent->empty() ? requests.number : -1, POLLOUT, 0}};
    if (closedSince)
      until = std::min(until, *closedSince + kClosedGrace);
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now()).count();
    const timespec wait = {std::max<int64_t>(left, 0) / 1000000000, std::max<int64_t>(left, 0) % 1000000000};
    if (ppoll(events, 4, &wait, nullptr) < 0 && errno != EINTR) {
      fail(WorkerEnd::Closed, fmt::format("poll: {}", std::strerror(errno)));
      return;
    }
    if (events[1].revents)
      drain(text, written, kTextKept);
    if (events[0].revents)
      takeReplies();
    if (total > limits.outputBytes) {
      fail(WorkerEnd::Flooded, fmt::format("the worker wrote more than {}", memoryText(limits.outputBytes)));
      return;
    }
    if (events[2].revents)
      takeEvents();
    if (!failure && events[3].revents) {
      const ssize_t sent = write(requests.number, unsent->data(), unsent->size());
      if (sent > 0)
        unsent->remove_prefix(static_cast<size_t>(sent));
      else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        requests.reset();
        if (!closedSince)
          closedSince = Clock::now();
      }
    }
    if (ended && !failure) { // what it said before is still in the pipes
      if (text.number >= 0)
        drain(text, written, kTextKept);
      if (replies.number >= 0)
        takeReplies();
    }
  }

  bool awaitingStart() const { return messages && awaitMark; }

  Clock::time_point deadline(double seconds) {
    const Clock::time_point asked = after(seconds);
    return wallEnd ? std::min(asked, *wallEnd) : asked;
  }

  WorkerFailure timedOut(double seconds) {
    return fail(WorkerEnd::Timeout, fmt::format("the worker did not answer within {:.3g} s", seconds));
  }

  std::optional<WorkerFailure> overWithout() {
    if (failure)
      return failure;
    if (!ended && closedSince && Clock::now() - *closedSince > kClosedGrace)
      return fail(WorkerEnd::Closed, "the worker closed its channel");
    if (!ended)
      return std::nullopt;
    const WorkerFailure why = explainEnd();
    fail(why.reason, why.message);
    failure = why;
    return failure;
  }
};

SandboxedProcess::SandboxedProcess(std::unique_ptr<State> state) : state(std::move(state)) {}
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
  const SandboxOptions &options = kind.options();
  auto state = std::make_unique<State>();
  state->limits = options.limits;
  state->messages = state->awaitMark = options.channel == SandboxChannel::Messages;
  Descriptor theirRequests, theirReplies, theirText, theirControl;
  if (!makePipe(theirRequests, state->requests) || !makePipe(state->replies, theirReplies) ||
      !makePipe(state->text, theirText))
    return systemError("pipe");
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return systemError("socketpair");
  state->control = Descriptor(sockets[0]);
  theirControl = Descriptor(sockets[1]);
  for (int ours : {state->requests.number, state->replies.number, state->text.number})
    fcntl(ours, F_SETFL, O_NONBLOCK);
  if (options.sharedBytes > 0) {
    state->sharedFile = Descriptor(memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (state->sharedFile.number < 0 ||
        ftruncate(state->sharedFile.number, static_cast<off_t>(options.sharedBytes)) != 0 ||
        fcntl(state->sharedFile.number, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
      return systemError("shared memory");
    void *memory = mmap(nullptr, options.sharedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, state->sharedFile.number, 0);
    if (memory == MAP_FAILED)
      return systemError("shared memory");
    state->shared = memory;
    state->sharedBytes = options.sharedBytes;
  }
  const std::pair<int, int> places[] = {{theirText.number, STDOUT_FILENO},
                                        {theirText.number, STDERR_FILENO},
                                        {theirRequests.number, kSupervisorRequests},
                                        {theirReplies.number, kSupervisorReplies},
                                        {state->sharedFile.number, kSupervisorShared},
                                        {kind.file(), kSupervisorSpec},
                                        {theirControl.number, kSupervisorControl}};
  // Moved out of the way of their places first: dup2 must not overwrite one that is still to come.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  std::vector<Descriptor> moved;
  for (const auto &[from, to] : places) {
    if (from < 0) {
      posix_spawn_file_actions_addclose(&actions, to);
      continue;
    }
    moved.emplace_back(fcntl(from, F_DUPFD_CLOEXEC, kSupervisorControl + 1));
    posix_spawn_file_actions_adddup2(&actions, moved.back().number, to);
  }
  char *argv[] = {const_cast<char *>(kind.program().c_str()), const_cast<char *>("--supervise"), nullptr};
  char *environment[] = {nullptr};
  const int failure = posix_spawn(&state->supervisor, argv[0], &actions, nullptr, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    state->supervisor = -1;
    return Error{fmt::format("{}: {}", kind.program(), std::strerror(failure))};
  }
  return SandboxedProcess(std::move(state));
}

bool SandboxedProcess::isReady() {
  if (!state->failure && state->awaitingStart())
    state->pump(Clock::now(), nullptr);
  return !state->failure && !state->awaitMark;
}

std::optional<WorkerFailure> SandboxedProcess::awaitReady(double seconds) {
  const Clock::time_point until = after(seconds);
  while (state->awaitingStart()) {
    if (std::optional<WorkerFailure> over = state->overWithout())
      return over;
    if (Clock::now() >= until)
      return state->timedOut(seconds);
    state->pump(until, nullptr);
  }
  return state->failure;
}

std::optional<WorkerFailure> SandboxedProcess::send(std::string_view bytes) {
  if (std::optional<WorkerFailure> failure = awaitReady(kStartSeconds))
    return failure;
  if (!state->wallEnd)
    state->wallEnd = after(state->limits.wallSeconds);
  char header[kHeader];
  for (size_t i = 0; i < kHeader; ++i)
    header[i] = static_cast<char>(static_cast<uint64_t>(bytes.size()) >> 8 * i);
  std::string_view parts[] = {state->messages ? std::string_view(header, kHeader) : std::string_view(), bytes};
  for (std::string_view &part : parts)
    while (!part.empty()) {
      if (std::optional<WorkerFailure> over = state->overWithout())
        return over;
      if (Clock::now() >= *state->wallEnd)
        return state->timedOut(state->limits.wallSeconds);
      state->pump(*state->wallEnd, &part);
    }
  return std::nullopt;
}

Reply SandboxedProcess::receive(double seconds) {
  const Clock::time_point until = state->deadline(seconds);
  for (;;) {
    if (state->failure)
      return {std::nullopt, *state->failure};
    std::string &received = state->received;
    if (!state->awaitMark && received.size() >= kHeader) {
      uint64_t size = 0;
      for (size_t i = 0; i < kHeader; ++i)
        size |= static_cast<uint64_t>(static_cast<unsigned char>(received[i])) << 8 * i;
      if (size > state->limits.outputBytes)
        return {std::nullopt,
                state->fail(WorkerEnd::Flooded, fmt::format("the worker announced a message of {} bytes, more than {}",
                                                            size, memoryText(state->limits.outputBytes)))};
      if (received.size() - kHeader >= size) {
        std::string message = received.substr(kHeader, size);
        received.erase(0, kHeader + size);
        return {std::move(message), {}};
      }
    }
    if (std::optional<WorkerFailure> over = state->overWithout())
      return {std::nullopt, *over};
    if (Clock::now() >= until)
      return {std::nullopt, state->timedOut(seconds)};
    state->pump(until, nullptr);
  }
}

Reply SandboxedProcess::finish(double seconds) {
  const Clock::time_point until = state->deadline(seconds);
  state->requests.reset();
  while (!state->failure && !state->ended) {
    if (Clock::now() >= until)
      return {std::nullopt, state->timedOut(seconds)};
    state->pump(until, nullptr);
  }
  if (!state->failure && WIFEXITED(state->ended->status) && WEXITSTATUS(state->ended->status) == 0)
    return {std::move(state->received), {}};
  return {std::nullopt, *state->overWithout()};
}

void SandboxedProcess::pinTo(int cpu) {
  // The worker's number comes with the event that it has started.
  const Clock::time_point until = after(kStartSeconds);
  while (state->worker < 0 && !state->failure && Clock::now() < until)
    state->pump(until, nullptr);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (state->worker > 0 && !state->ended)
    sched_setaffinity(state->worker, sizeof set, &set);
}

std::string SandboxedProcess::text() const { return state->written; }
void *SandboxedProcess::shared() const { return state->shared; }

} // namespace maskjit::rl
