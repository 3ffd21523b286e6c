// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pipes, a control socket and shared memory for one worker.
#include "rl/sandbox/Descriptor.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace maskjit::rl {

constexpr int kPipeBytes = 1 << 20; // of one channel, where the system allows it

Error systemError(const char *what) { return Error{fmt::format("{}: {}", what, std::strerror(errno))}; }

void Descriptor::reset() {
  if (number >= 0)
    close(std::exchange(number, -1));
}

static bool makePipe(Descriptor &readEnd, Descriptor &writeEnd) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  readEnd = Descriptor(ends[0]);
  writeEnd = Descriptor(ends[1]);
  fcntl(ends[1], F_SETPIPE_SZ,
        kPipeBytes); // refused where a user's pipes are full; smaller ones only switch more often
  return true;
}

Result<WorkerPipes> makeWorkerPipes(size_t sharedBytes) {
  WorkerPipes pipes;
  WorkerEnds &ours = pipes.ours, &theirs = pipes.theirs;
  if (!makePipe(theirs.requests, ours.requests) || !makePipe(ours.replies, theirs.replies) ||
      !makePipe(ours.text, theirs.text))
    return systemError("pipe");
  for (int end : {ours.requests.number, ours.replies.number, ours.text.number})
    fcntl(end, F_SETFL, O_NONBLOCK);
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return systemError("socketpair");
  ours.control = Descriptor(sockets[0]);
  theirs.control = Descriptor(sockets[1]);
  if (sharedBytes == 0)
    return pipes;
  ours.shared = Descriptor(memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ours.shared.number < 0 || ftruncate(ours.shared.number, static_cast<off_t>(sharedBytes)) != 0 ||
      fcntl(ours.shared.number, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return systemError("shared memory");
  return pipes;
}

} // namespace maskjit::rl
