// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program maskjit-sandbox: started by SandboxedProcess with its descriptors set; --probe says what this machine
// offers.
#include "rl/sandbox/Report.h"
#include "rl/sandbox/supervisor/Supervisor.h"
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  using namespace maskjit::rl;
  const char *command = argc == 2 ? argv[1] : "";
  if (std::strcmp(command, "--nothing") == 0) // what the probe runs inside a layer
    return 0;
  if (std::strcmp(command, "--probe") == 0) {
    fmt::print("{}\n", toJson(probeLayers()));
    return 0;
  }
  int type = 0;
  socklen_t size = sizeof type;
  if (std::strcmp(command, "--supervise") == 0 &&
      getsockopt(kSupervisorControl, SOL_SOCKET, SO_TYPE, &type, &size) == 0) {
    syscall(SYS_close_range, kSupervisorZygote + 1, ~0u, 0);
    return supervise();
  }
  fmt::print(stderr, "maskjit-sandbox --probe   prints which layers of a sandbox this machine offers, as JSON\n"
                     "Workers are started by maskjit-rl, not by hand.\n");
  return std::strcmp(command, "--help") == 0 ? 0 : 2;
}
