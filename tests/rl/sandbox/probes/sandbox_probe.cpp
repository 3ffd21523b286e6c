// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs one attempt: sandbox_probe NAME start|locked|outside PARENT PORT FILE ABSTRACT-SOCKET. Answers "done" where it
// worked.
#include "tests/rl/sandbox/probes/Probe.h"
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <unistd.h>

/// To the parent of a worker on descriptor 4, with its length; to standard output otherwise.
static void answer(const std::string &text, bool outside) {
  std::string message(8, '\0');
  message[0] = static_cast<char>(text.size());
  (void)!write(outside ? STDOUT_FILENO : 4, outside ? text.data() : (message + text).data(),
               text.size() + (outside ? 0 : message.size()));
}

int main(int argc, char **argv) {
  if (argc != 7)
    return 2;
  const std::string name = argv[1], stage = argv[2];
  const bool outside = stage == "outside";
  const Target target = {std::atoi(argv[3]), std::atoi(argv[4]), argv[5], argv[6]};
  char request[9];
  if (stage == "locked" && read(3, request, sizeof request) < 1) // the lock-down comes with the first read
    return 3;
  for (const std::vector<Probe> &probes : {fileProbes(), processProbes(), kernelProbes()})
    for (const Probe &probe : probes)
      if (name == probe.name) {
        // What would change the machine has its own namespaces outside, or is not tried there.
        if (outside && name == "mount" && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
          return 5;
        errno = 0;
        const std::string result = probe.attempt(target) ? "done" : std::string("refused: ") + std::strerror(errno);
        if (stage == "start")
          (void)!read(3, request, sizeof request);
        answer(result, outside);
        return 0;
      }
  return 4;
}
