// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A seccomp filter that lets a process send signals to its own threads only: abort() works, the parent stays unreached.
#pragma once
#include <csignal>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace maskjit::rl {

/// Installs an array of `count` instructions; 0 or -1 with errno. Needs no_new_privs.
inline int installFilter(const sock_filter *instructions, size_t count) {
  sock_fprog program = {static_cast<unsigned short>(count), const_cast<sock_filter *>(instructions)};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/// The process number is known only here, in the process itself: this filter cannot be built ahead.
inline int allowOnlyOwnSignals() {
  const sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])), // little-endian: the low half
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(getpid()), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return installFilter(instructions, sizeof instructions / sizeof *instructions);
}

} // namespace maskjit::rl
