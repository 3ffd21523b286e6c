// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A root file system that holds nothing but read-only views of the listed files.
#include "rl/sandbox/supervisor/Layers.h"
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/mount.h>
#include <memory>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_RDONLY // headers older than Linux 5.12
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#endif

namespace maskjit::rl {
namespace {

/// struct mount_attr of linux/mount.h, which some headers lack.
struct MountAttributes {
  uint64_t set, clear, propagation, userNamespace;
};

/// mount(2) cannot keep the flags that a user namespace locks; mount_setattr only adds.
int makeReadOnly(const std::string &path, bool recursive) {
  MountAttributes attributes = {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0};
  return static_cast<int>(
      syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), recursive ? AT_RECURSIVE : 0, &attributes, sizeof attributes));
}

Result<void> makeFolders(const std::string &path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST)
      return systemError("mkdir " + path.substr(0, slash));
  return {};
}

/// `path` of the new root becomes a read-only view of `source` in the old one; a folder shown before may hold it
/// already.
Result<void> show(const std::string &source, const std::string &path) {
  struct stat wanted, existing;
  if (stat(source.c_str(), &wanted) != 0)
    return systemError(path);
  if (stat(path.c_str(), &existing) == 0 && existing.st_ino == wanted.st_ino && existing.st_dev == wanted.st_dev)
    return {};
  if (Result<void> made = makeFolders(path); !made)
    return made;
  if (S_ISDIR(wanted.st_mode)) {
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
      return systemError("mkdir " + path);
  } else {
    const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (file < 0)
      return systemError("create " + path);
    close(file);
  }
  if (mount(source.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return systemError("bind " + path);
  if (makeReadOnly(path, true) != 0)
    return systemError("read-only view of " + path);
  return {};
}

} // namespace

Result<void> enterFileView(const std::vector<std::string> &files, const std::vector<std::string> &hidden) {
  // Symbolic links are followed while the whole system is still in sight; the view has the path as listed.
  std::vector<std::string> sources;
  for (const std::string &file : files) {
    std::unique_ptr<char, decltype(&std::free)> real(realpath(file.c_str(), nullptr), std::free);
    if (!real)
      return systemError(file);
    sources.push_back(std::string("/.old") + real.get());
  }
  const char *const anchor = "/tmp"; // any folder; pivot_root moves the mount away from it again
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return systemError("private mounts");
  if (mount("sandbox", anchor, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m,nr_inodes=4096") != 0)
    return systemError("tmpfs");
  if (chdir(anchor) != 0 || mkdir(".old", 0755) != 0 || syscall(SYS_pivot_root, ".", ".old") != 0 || chdir("/") != 0)
    return systemError("pivot_root");
  for (size_t i = 0; i < files.size(); ++i)
    if (Result<void> shown = show(sources[i], files[i]); !shown)
      return shown;
  for (const std::string &folder : hidden)
    if (mount("hidden", folder.c_str(), "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0,nr_inodes=1") !=
        0)
      return systemError("hide " + folder);
  if (umount2("/.old", MNT_DETACH) != 0 || rmdir("/.old") != 0)
    return systemError("the old root");
  if (makeReadOnly("/", false) != 0)
    return systemError("read-only root");
  return {};
}

} // namespace maskjit::rl
