// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CUDA C++ in, machine code out: NVRTC, found and loaded at run time. Needs no GPU.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// What ptxas reports of one kernel. Spills are bytes a thread; shared bytes are the static ones.
struct KernelResources {
  std::string entry;
  int registers = 0, stackBytes = 0, spillStores = 0, spillLoads = 0, sharedBytes = 0;
};

struct CompiledCuda {
  std::string cubin, ptx;
  std::vector<KernelResources> resources; // in the order of the source
};

/// Reads the log that `--ptxas-options=-v` asks for.
std::vector<KernelResources> parsePtxasLog(std::string_view log);

/// The loaded library. Compiles from many threads at once.
class Nvrtc {
public:
  /// Loads the library on the first call; the outcome, the message too, stays for the life of the process.
  /// Searched, in this order: $MASKJIT_NVRTC (a file), the loader's own path, the folder of LibTorch's CUDA wheels,
  /// $CUDA_HOME/lib64, /usr/local/cuda/lib64, ~/.cache/maskjit/deps.
  static const Result<Nvrtc> &load();

  /// `major.minor`, part of every cache key.
  const std::string &version() const { return versionText; }
  /// The file that was loaded.
  const std::string &path() const { return file; }
  /// Whether code for `arch` ("sm_90a") can be made.
  bool supports(std::string_view arch) const;

  /// Compiles `source`, called `fileName` in messages, against `headers`. `options` without the architecture.
  Result<CompiledCuda> compile(const std::string &source, const std::string &fileName, const std::string &arch,
                               const std::vector<DeviceHeader> &headers, const std::vector<std::string> &options) const;

  struct Functions;

private:
  const Functions *functions = nullptr; // never freed: code of the library may still run at exit
  std::string versionText, file;
  std::vector<int> archs;
};

} // namespace maskjit
