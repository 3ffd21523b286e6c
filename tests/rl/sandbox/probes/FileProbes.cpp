// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files, devices, /proc, network, inherited things.
#include "tests/rl/sandbox/probes/Probe.h"
#include <arpa/inet.h>
#include <cstddef>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

namespace {

bool opens(const std::string &path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0)
    close(file);
  return file >= 0;
}

bool connects(int family, const sockaddr *address, socklen_t length) {
  const int end = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (end < 0)
    return false;
  const bool connected = connect(end, address, length) == 0;
  const int reason = errno;
  close(end);
  errno = reason;
  return connected;
}

bool connectTcp(const Target &target) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(target.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connects(AF_INET, reinterpret_cast<sockaddr *>(&address), sizeof address);
}

bool connectAbstractSocket(const Target &target) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX; // sun_path[0] stays zero: a name, no file
  std::memcpy(address.sun_path + 1, target.abstractSocket.data(), target.abstractSocket.size());
  return connects(AF_UNIX, reinterpret_cast<sockaddr *>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + target.abstractSocket.size()));
}

bool sendUdp(const Target &target) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(target.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int end = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return end >= 0 && sendto(end, "x", 1, 0, reinterpret_cast<const sockaddr *>(&address),
                            static_cast<socklen_t>(sizeof address)) == 1;
}

bool makeDevice(const Target &target) {
  const std::string path = target.file + ".device";
  const bool made = mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0; // as /dev/zero
  if (made)
    unlink(path.c_str());
  return made;
}

bool inheritsDescriptors(const Target &) {
  for (int descriptor = 6; descriptor < 1024; ++descriptor)
    if (fcntl(descriptor, F_GETFD) >= 0)
      return true;
  errno = EBADF;
  return false;
}

} // namespace

std::vector<Probe> fileProbes() {
  return {
      {"read_parents_file", [](const Target &target) { return opens(target.file, O_RDONLY); }},
      {"write_parents_file", [](const Target &target) { return opens(target.file, O_WRONLY | O_APPEND); }},
      {"create_file",
       [](const Target &target) {
         const bool made = opens(target.file + ".new", O_WRONLY | O_CREAT);
         if (made)
           unlink((target.file + ".new").c_str());
         return made;
       }},
      {"read_etc_passwd", [](const Target &) { return opens("/etc/passwd", O_RDONLY); }},
      {"list_var", [](const Target &) { return opendir("/var") != nullptr; }},
      {"list_root_of_parent",
       [](const Target &target) {
         return opendir(("/proc/" + std::to_string(target.parent) + "/root").c_str()) != nullptr;
       }},
      {"link_file",
       [](const Target &target) {
         const bool made = symlink("/etc", (target.file + ".link").c_str()) == 0;
         if (made)
           unlink((target.file + ".link").c_str());
         return made;
       }},
      {"read_proc_maps", [](const Target &) { return opens("/proc/self/maps", O_RDONLY); }},
      {"read_parents_environment",
       [](const Target &target) { return opens("/proc/" + std::to_string(target.parent) + "/environ", O_RDONLY); }},
      {"write_parents_memory",
       [](const Target &target) { return opens("/proc/" + std::to_string(target.parent) + "/mem", O_RDWR); }},
      {"open_dev_null", [](const Target &) { return opens("/dev/null", O_RDWR); }},
      {"open_shared_memory_folder", [](const Target &) { return opendir("/dev/shm") != nullptr; }},
      {"open_sys", [](const Target &) { return opens("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY); }},
      {"make_device", makeDevice},
      {"connect_tcp", connectTcp},
      {"connect_abstract_socket", connectAbstractSocket},
      {"send_udp", sendUdp},
      {"socketpair",
       [](const Target &) {
         int ends[2];
         return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
       }},
      {"inherited_descriptors", inheritsDescriptors},
      {"environment", [](const Target &) { return environ && environ[0] && std::strncmp(environ[0], "LD_", 3) != 0; }},
  };
}
