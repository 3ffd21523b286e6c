// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernel's other doors: keyrings, io_uring, bpf, mounts, namespaces, other calling conventions.
#include "tests/rl/sandbox/probes/Probe.h"
#include <cstring>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool setUpRing(const Target &) {
  char parameters[256] = {}; // struct io_uring_params is 120 bytes
  return syscall(SYS_io_uring_setup, 1, parameters) >= 0;
}

bool countEvents(const Target &) {
  perf_event_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) >= 0;
}

bool loadProgram(const Target &) {
  // BPF_MAP_CREATE of an array with one entry
  struct {
    uint32_t type, keySize, valueSize, entries, flags;
    char rest[100];
  } map = {2, 4, 4, 1, 0, {}};
  return syscall(SYS_bpf, 0, &map, sizeof map) >= 0;
}

bool executeMemory(const Target &) {
  const int file = static_cast<int>(syscall(SYS_memfd_create, "program", 0));
  if (file < 0)
    return false;
  static const char script[] = "#!/bin/true\n";
  if (write(file, script, sizeof script - 1) < 0)
    return false;
  char *const argv[] = {const_cast<char *>("program"), nullptr};
  char *const environment[] = {nullptr};
  syscall(SYS_execveat, file, "", argv, environment, AT_EMPTY_PATH);
  return errno != EPERM && errno != EACCES && errno != ENOSYS;
}

bool shareMemory(const Target &) {
  const int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (segment >= 0)
    shmctl(segment, IPC_RMID, nullptr);
  return segment >= 0;
}

#ifdef __x86_64__
/// getpid by the 32-bit entry, whose numbers mean other calls.
bool callBy32Bits(const Target &) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
  return result == getpid();
}
bool callByX32(const Target &) { return syscall(0x40000000 | SYS_getpid) >= 0; }
#endif

} // namespace

std::vector<Probe> kernelProbes() {
  std::vector<Probe> probes = {
      {"io_uring", setUpRing},
      {"add_key",
       [](const Target &) {
         return syscall(SYS_add_key, "user", "maskjit-probe", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0;
       }},
      {"keyctl",
       [](const Target &) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) >= 0; }},
      {"request_key",
       [](const Target &) {
         return syscall(SYS_request_key, "user", "maskjit-none", nullptr, KEY_SPEC_PROCESS_KEYRING) >= 0 ||
                errno == ENOKEY;
       }},
      {"bpf", loadProgram},
      {"perf_event_open", countEvents},
      {"userfaultfd", [](const Target &) { return syscall(SYS_userfaultfd, 1) >= 0; }}, // UFFD_USER_MODE_ONLY
      {"memfd_create", [](const Target &) { return syscall(SYS_memfd_create, "x", 0) >= 0; }},
      {"execute_memory", executeMemory},
      {"shared_memory", shareMemory},
      {"mount", [](const Target &) { return mount("none", "/", "tmpfs", 0, nullptr) == 0; }},
      {"user_namespace", [](const Target &) { return unshare(CLONE_NEWUSER) == 0; }},
      {"mount_namespace", [](const Target &) { return unshare(CLONE_NEWNS) == 0; }},
      {"chroot", [](const Target &) { return chroot("/") == 0; }},
      {"become_root", [](const Target &) { return syscall(SYS_setresuid, 0, 0, 0) == 0; }},
      {"open_by_handle",
       [](const Target &) {
         struct {
           unsigned bytes = 8;
           int type = 1;
           char handle[8] = {2};
         } handle;
         return syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY) >= 0 || errno == ESTALE;
       }},
      {"io_ports",
       [](const Target &) {
#ifdef __x86_64__
         return syscall(SYS_iopl, 3) == 0;
#else
         errno = ENOSYS;
         return false;
#endif
       }},
      {"kernel_log", [](const Target &) { return syscall(SYS_syslog, 10, nullptr, 0) >= 0; }},
      {"host_name",
       [](const Target &) {
         char name[64];
         return gethostname(name, sizeof name) == 0 && syscall(SYS_sethostname, name, std::strlen(name)) == 0;
       }},
  };
#ifdef __x86_64__
  probes.push_back({"call_by_32_bits", callBy32Bits});
  probes.push_back({"call_by_x32", callByX32});
#endif
  return probes;
}
