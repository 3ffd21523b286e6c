// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the end of a worker, or a function that a program wants, to a verdict.
#include "rl/judge/Cheats.h"
#include "rl/judge/Worker.h"
#include <fmt/format.h>
#include <regex>

namespace maskjit::rl {

namespace {
struct Wanted {
  std::regex names; // of functions of the C library and of system calls
  int cheat;
};
} // namespace

/// Order matters: the first match names the cheat.
static const std::vector<Wanted> &wanted() {
  auto whole = [](const char *names) { return std::regex(fmt::format("^(?:{})$", names)); };
  static const std::vector<Wanted> table = {
      {whole("cblas_.*|[sdcz]ge(mm|mv)_?.*|mkl_.*|openblas_.*"), kForeignLibrary},
      {whole("dl(open|sym|msym|vsym|_iterate_phdr)|__libc_dl.*"), kCtypes},
      {whole("exec(v|ve|vp|vpe|l|le|lp|veat)|system|popen|posix_spawnp?|wait.*"), kSubprocess},
      {whole("v?fork|_Fork|clone[0-9]?|__clone.*|pthread_(create|attr).*|thrd_create|GOMP_.*|__kmpc_.*|omp_.*"),
       kBackgroundWork},
      {whole("clock_(gettime|settime|nanosleep|getres|adjtime)|gettimeofday|settimeofday|adjtimex|time|clock|nanosleep|"
             "u?sleep|judge_clock|timer_.*|timerfd_.*|times|timespec_get"),
       kPatchedClock},
      {whole("(rt_)?sig.*|__sigsetjmp|signal|bsd_signal|alarm|setitimer|t?g?kill|raise|_?setjmp|_?longjmp|prctl"),
       kSignals},
      {whole("aio_.*|io_uring_.*|io_(setup|submit)"), kAsynchronous},
      {whole("ptrace|process_vm_.*|getcontext|backtrace.*|_Unwind.*|kcmp|perf_event_open|userfaultfd"), kStackFrames},
      {whole(
           "open(at|at2|64)?|f?open(64)?|fdopen|freopen|creat|read.*|write.*|p?(read|write)v?(64)?|ioctl|socket.*|"
           "connect|"
           "bind|listen|accept4?|send.*|recv.*|mmap(64)?|mprotect|mremap|munmap|memfd_.*|shm.*|sem.*|msg.*|fcntl(64)?|"
           "dup[23]?|pipe2?|f?stat.*|lstat.*|newfstatat|f?truncate(64)?|unlink.*|rename.*|link.*|symlink.*|mkdir.*|"
           "rmdir|mount|"
           "umount2?|chroot|pivot_root|chdir|getdents.*|add_key|keyctl|request_key|bpf|setns|unshare|syscall|"
           "(f|s|v|as)?n?printf|puts|putchar|fputs|fwrite|fread|getenv|environ|landlock_.*|splice|sendfile|"
           "sched_.*|setpriority|mlock.*|madvise"),
       kFiles},
  };
  return table;
}

Fault faultOfSymbol(const std::string &name) {
  for (const Wanted &w : wanted())
    if (std::regex_match(name, w.names))
      return {Verdict::Cheat, w.cheat, fmt::format("asked for {}: {}", name, describeCheat(w.cheat))};
  return {Verdict::Invalid, 0, fmt::format("undefined symbol: {}; a kernel may use memory, memcpy and math.h", name)};
}

Fault faultOf(const WorkerFailure &f) {
  switch (f.reason) {
  case WorkerEnd::Timeout:
  case WorkerEnd::CpuTime:
    return {Verdict::Timeout, 0, f.message};
  case WorkerEnd::Forbidden: {
    Fault fault = faultOfSymbol(f.systemCall);
    if (fault.verdict == Verdict::Cheat)
      return fault;
    // Nameless where all signals are blocked: the C library does so around the making of threads and processes alone.
    return {Verdict::Cheat, f.systemCall.empty() ? kBackgroundWork : kFiles, f.message};
  }
  case WorkerEnd::Crashed:
  case WorkerEnd::Exited:
  case WorkerEnd::Flooded:
  case WorkerEnd::Memory:
  case WorkerEnd::Closed:
  case WorkerEnd::NotStarted:
    break;
  }
  return {Verdict::Error, 0, f.message};
}

} // namespace maskjit::rl
