// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parent's side of a zygote: one order and five descriptors a worker.
#include "rl/sandbox/Zygote.h"
#include "rl/sandbox/Spawn.h"
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

namespace maskjit::rl {

Result<std::unique_ptr<Zygote>> Zygote::start(const SandboxOptions &options) {
  if (options.channel != SandboxChannel::Messages || options.limits.processes != 1 ||
      !options.layers.count(SandboxLayer::Seccomp))
    return Error{"a zygote needs a channel of messages, a single process a worker, and seccomp"};
  Result<SandboxTemplate> kind = SandboxTemplate::create(options, true);
  if (!kind)
    return kind.error();
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return systemError("socketpair");
  Descriptor ours(sockets[0]), theirs(sockets[1]);
  Result<std::unique_ptr<WorkerLink>> link = spawnSupervised(*kind, theirs.number);
  if (!link)
    return link.error();
  return std::unique_ptr<Zygote>(new Zygote(std::move(*kind), SandboxedProcess(std::move(*link)), std::move(ours)));
}

Result<SandboxedProcess> Zygote::fork() {
  Result<WorkerPipes> pipes = makeWorkerPipes(kind.options().sharedBytes);
  if (!pipes)
    return pipes.error();
  const WorkerEnds &theirs = pipes->theirs;
  const int descriptors[] = {theirs.requests.number, theirs.replies.number, theirs.text.number, theirs.control.number,
                             pipes->ours.shared.number};
  const size_t bytes = sizeof(int) * (pipes->ours.shared.number < 0 ? 4 : 5);
  SupervisorOrder order = {SupervisorOrder::Fork, 0};
  iovec part = {&order, sizeof order};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof descriptors)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary;
  message.msg_controllen = CMSG_SPACE(bytes);
  cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(bytes);
  std::memcpy(CMSG_DATA(head), descriptors, bytes);
  ssize_t sent;
  while ((sent = sendmsg(orders.number, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  if (sent < 0) {
    const std::string reason = std::strerror(errno);
    const std::optional<WorkerFailure> failure = process.awaitReady(1); // collects what it wrote
    return Error{fmt::format("the warm program takes no orders ({}): {}; it wrote '{}'", reason,
                             failure ? failure->message : "it lives", process.text())};
  }
  Result<std::unique_ptr<WorkerLink>> link = WorkerLink::create(kind.options(), std::move(pipes->ours), -1);
  if (!link)
    return link.error();
  return SandboxedProcess(std::move(*link));
}

} // namespace maskjit::rl
