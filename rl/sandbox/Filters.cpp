// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The lists of system calls, turned into filters by libseccomp.
#include "rl/sandbox/Filters.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace maskjit::rl {
namespace {

/// Computing and talking over descriptors that are open already.
const char *const kAlways[] = {
    // its channel
    "read", "write", "readv", "writev", "pread64", "close", "fstat", "lseek", "poll", "ppoll", "select", "pselect6",
    // memory
    "brk", "munmap", "mremap", "madvise", "membarrier",
    // time that passes
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "getrusage", "times",
    // itself; tgkill only to itself, see OwnSignals.h
    "getpid", "gettid", "getppid", "tgkill", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit",
    "exit_group", "getrandom",
    // its threads
    "futex", "sched_yield", "rseq", "set_robust_list"};

/// Loading a program and its libraries, reading the listed files.
const char *const kStart[] = {
    // files
    "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getcwd", "getdents64", "statfs", "fstatfs", "fadvise64", "pwrite64", "umask",
    // becoming the program
    "execve", "arch_prctl", "set_tid_address", "rt_sigaction", "seccomp", "dup", "dup2", "dup3", "close_range",
    // asking who and where it is
    "getuid", "geteuid", "getgid", "getegid", "getpgrp", "uname", "sysinfo", "getrlimit", "sched_getaffinity"};

/// What a zygote needs besides, to give a child its channel and to reap it.
const char *const kZygoteStart[] = {"recvfrom", "recvmsg",    "sendto",           "wait4",
                                    "kill",     "pidfd_open", "sched_setaffinity"};

/// What only an escape or a cheat asks for.
const char *const kForbidden[] = {
    // network and other sockets
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "recvfrom", "recvmsg", "recvmmsg", "shutdown", "setsockopt", "getsockopt",
    // other processes
    "fork", "vfork", "clone", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
    "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
    "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr", "setpriority", "ioprio_set",
    "setpgid", "setsid", "setrlimit", "migrate_pages", "move_pages", "wait4", "waitid",
    // clocks and alarms
    "alarm", "setitimer", "timer_create", "timerfd_create", "settimeofday", "clock_settime", "adjtimex",
    "clock_adjtime",
    // identity
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset",
    "personality",
    // namespaces, mounts, files by other doors
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat", "fanotify_init",
    "inotify_init", "inotify_init1", "quotactl", "swapon", "swapoff", "acct", "landlock_create_ruleset",
    // memory shared with others, memory as a file
    "memfd_create", "memfd_secret", "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "msgget", "msgsnd",
    "msgrcv", "mq_open", "mq_unlink", "userfaultfd",
    // the kernel's other interfaces
    "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "add_key", "request_key",
    "keyctl", "bpf", "perf_event_open", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
    "reboot", "syslog", "iopl", "ioperm", "modify_ldt", "sethostname", "setdomainname", "vhangup", "lookup_dcookie",
    "nfsservctl"};

struct Release {
  void operator()(void *context) const { seccomp_release(context); }
};

/// One filter in the making; remembers the first failure.
class Builder {
public:
  Builder() : context(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {}

  void add(uint32_t action, const char *name, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) // not on this architecture, or younger than libseccomp: the default refuses it
      return;
    const int code = seccomp_rule_add_array(context.get(), action, number, static_cast<unsigned>(arguments.size()),
                                            arguments.begin());
    if (code < 0 && failure.empty())
      failure = fmt::format("seccomp refuses the rule for {}: {}", name, std::strerror(-code));
  }
  void allow(const char *name, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    add(SCMP_ACT_ALLOW, name, arguments);
  }

  Result<std::string> finish() {
    if (!failure.empty())
      return Error{failure};
    const int file = memfd_create("filter", MFD_CLOEXEC);
    if (file < 0 || seccomp_export_bpf(context.get(), file) < 0) {
      close(file);
      return Error{fmt::format("the system call filter cannot be written: {}", std::strerror(errno))};
    }
    std::string bytes(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
    const ssize_t got = pread(file, bytes.data(), bytes.size(), 0);
    close(file);
    if (got != static_cast<ssize_t>(bytes.size()))
      return Error{"the system call filter cannot be read back"};
    return bytes;
  }

private:
  std::unique_ptr<void, Release> context;
  std::string failure;
};

scmp_arg_cmp equals(unsigned argument, uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

/// Calls with arguments that both filters judge.
void addChecked(Builder &filter, const SandboxOptions &options, bool final) {
  // F_SETOWN would direct SIGIO at other processes, F_SETPIPE_SZ would hold kernel memory.
  for (int command : {F_DUPFD_CLOEXEC, F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL})
    filter.allow("fcntl", {equals(1, static_cast<uint64_t>(command))});
  if (final && options.profile == SandboxProfile::Interpreter) {
    filter.allow("mmap", {masked(2, PROT_EXEC, 0)});
    filter.allow("mprotect", {masked(2, PROT_EXEC, 0)});
  } else {
    filter.allow("mmap");
    filter.allow("mprotect");
  }
  if (options.limits.processes > 1)
    filter.allow("clone", {masked(0, CLONE_THREAD, CLONE_THREAD)});
  // glibc tries clone3, whose flags no filter can see, then clone
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  // asking for limits is harmless, setting them is not
  filter.allow("prlimit64", {equals(0, 0), equals(2, 0)});
}

} // namespace

Result<Filters> buildFilters(const SandboxOptions &options, bool zygote) {
  Filters filters;
  for (bool final : {false, true}) {
    Builder filter;
    for (const char *name : kAlways)
      filter.allow(name);
    if (!final) {
      for (const char *name : kStart)
        filter.allow(name);
      for (unsigned long request : {FIOCLEX, FIONCLEX})
        filter.allow("ioctl", {equals(1, request)});
      for (int option : {PR_SET_NAME, PR_SET_SECCOMP})
        filter.allow("prctl", {equals(0, static_cast<uint64_t>(option))});
    }
    addChecked(filter, options, final);
    std::set<std::string> forbidden(std::begin(kForbidden), std::end(kForbidden));
    if (zygote && !final) {
      for (const char *name : kZygoteStart)
        forbidden.erase(name), filter.allow(name);
      forbidden.erase("clone");
      filter.allow("clone", {masked(0, ~uint64_t(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | 0xff), 0)});
      filter.allow("prctl", {equals(0, PR_SET_PDEATHSIG)});
      filter.allow("prlimit64", {equals(0, 0)});
    }
    if (options.limits.processes > 1 && forbidden.erase("clone"))
      filter.add(SCMP_ACT_TRAP, "clone", {masked(0, CLONE_THREAD, 0)});
    if (final)
      forbidden.insert("execve");
    for (const std::string &name : forbidden)
      filter.add(SCMP_ACT_TRAP, name.c_str());
    Result<std::string> bytes = filter.finish();
    if (!bytes)
      return bytes.error();
    (final ? filters.final : filters.start) = std::move(*bytes);
  }
  return filters;
}

std::string systemCallName(int number) {
  std::unique_ptr<char, decltype(&std::free)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number),
                                                   std::free);
  return name ? name.get() : "";
}

} // namespace maskjit::rl
