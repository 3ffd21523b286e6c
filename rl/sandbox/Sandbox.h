// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a sandbox for code written by a model consists of: layers, limits, the files it may see, and what this machine
// offers.
#pragma once
#include "compiler/Result.h"
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace maskjit::rl {

/// One wall around a worker. Each is probed on the machine at hand, none is assumed.
enum class SandboxLayer {
  UserNamespace,    // an identity of its own, without privileges outside
  PidNamespace,     // sees no other process; all of it dies with its first
  NetworkNamespace, // not even loopback is up
  MountNamespace,   // a file system of the listed files only, read-only (with the namespaces ipc and uts)
  Seccomp,          // system calls by an allow list, a shorter one before a candidate arrives
  Landlock,         // opens the listed files only, also where namespaces are missing
  Rlimits,          // memory, CPU time, descriptors, no files written, no core
  NoNewPrivileges,  // set-user-id programs give nothing
};
const char *nameOf(SandboxLayer layer);

struct LayerStatus {
  SandboxLayer layer;
  bool active = false;
  std::string reason; // why not, empty when active
};

struct SandboxReport {
  std::vector<LayerStatus> layers;
  /// Enough for code rewards: no new privileges, rlimits, seccomp, and the files hidden by a mount namespace or
  /// Landlock.
  bool meetsMinimum = false;

  bool has(SandboxLayer layer) const;
  std::set<SandboxLayer> active() const;
  /// A line a layer, then whether that is enough.
  std::string explain() const;
};

/// Tries each layer in a short-lived process of the program maskjit-sandbox.
Result<SandboxReport> probeSandbox();

/// Refuses below the minimum, unless `allowWeak` (--allow-weak-sandbox) takes the responsibility; the message says
/// which layers are missing, why, and what to do.
Result<void> requireSandbox(const SandboxReport &report, bool allowWeak);

struct SandboxLimits {
  size_t memoryBytes = size_t(1) << 30;  // address space of the worker; 0: no bound (CUDA maps terabytes)
  size_t residentBytes = 0;              // memory that it holds, looked at every 50 ms; 0: no bound but the one above
  double cpuSeconds = 60;                // rounded up to whole seconds; in a worker's whole life, warm-up included
  double wallSeconds = 60;               // from the first send() to the last receive()
  size_t outputBytes = size_t(64) << 20; // for one request: replies, standard output and error together
  int processes = 1;                     // threads included; other processes are never allowed
};

/// Which system calls a locked-down worker keeps.
enum class SandboxProfile {
  Interpreter, // computes and talks over its channel; no new executable memory
  Native,      // the same, and may map code that it received
};

/// How bytes reach the worker.
enum class SandboxChannel {
  /// Messages: requests on descriptor 3, replies on descriptor 4, each an 8-byte little-endian length and the bytes.
  /// Standard output and error are collected apart. The worker is locked down at its first read(3, ...), see below.
  Messages,
  /// A filter such as a compiler: raw bytes from standard input to standard output, no lock-down.
  Standard,
};

struct SandboxOptions {
  std::vector<std::string> argv;   // argv[0]: absolute path of the program
  std::vector<std::string> files;  // files and folders it may read and execute, at the same path as outside
  std::vector<std::string> hidden; // folders below `files` that look empty (needs the mount namespace)
  SandboxLimits limits;
  SandboxProfile profile = SandboxProfile::Interpreter;
  SandboxChannel channel = SandboxChannel::Messages;
  int cpu = -1;           // processor to stay on; -1: any
  size_t sharedBytes = 0; // descriptor 5 is memory shared with the parent, of this size; 0: none
  /// The program looks at descriptor 5 only after its first read(3, ...): a pool may fork it.
  bool mapsAfterFirstRequest = false;
  std::set<SandboxLayer> layers; // those to apply: SandboxReport::active(), or fewer in tests
};

/// The shared libraries that `program` loads, its loader and the loader's cache, as the loader itself names them.
Result<std::vector<std::string>> sharedLibrariesOf(const std::string &program);

/// A Python interpreter's real path and the files it needs: itself, its libraries and its standard library, whose
/// site-packages are hidden. `name` is looked up in PATH.
struct PythonRuntime {
  std::string program;
  std::vector<std::string> files, hidden;
};
Result<PythonRuntime> findPython(const std::string &name = "python3");

} // namespace maskjit::rl
