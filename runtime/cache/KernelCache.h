// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a mask and a structure to a compiled kernel: from memory (about 1 us), else from disk, else by NVRTC.
#pragma once
#include "compiler/Compiler.h"
#include "runtime/cache/DiskCache.h"
#include "runtime/cache/OnceMap.h"
#include "runtime/nvrtc/Nvrtc.h"
#include <functional>

namespace maskjit {

/// Machine code of one architecture, or PTX, which the driver of any later GPU compiles when it loads it.
enum class ImageKind { Cubin, Ptx };

struct KernelImage {
  std::string mask; // name of the mask it was compiled for; any mask of the same structure shares it
  std::string key;  // CudaKernel::key
  KernelSpec spec;
  std::string structure; // KernelRequest::structure; empty for kernels of masks, which `spec` describes
  ImageKind kind = ImageKind::Cubin;
  std::string nvrtc; // version that made it
  std::vector<CudaKernel::Entry> entries;
  bool usesHead = false;
  std::vector<KernelResources> resources; // as `entries`
  std::string image;

  std::string serialize() const;
  static std::optional<KernelImage> deserialize(const std::string &bytes);
};
using KernelImagePtr = std::shared_ptr<const KernelImage>;

/// A kernel that is not a mask's, as the cache sees it. `spec` holds the architecture and the dtype alone.
struct KernelRequest {
  std::string name;      // "experts"
  std::string structure; // what `key` is made of, in words: names the kernel in memory and in lists
  KernelSpec spec;
  std::function<Result<std::string>()> key;
  std::function<Result<CudaKernel>()> emit;
};

/// What decides a kernel, cheap to build and to compare. Masks of equal structure are equal here.
struct KernelId {
  std::string digest, arch;
  Phase phase;
  DType dtype;
  int headDim, headsPerKeyHead;
  ImageKind kind;

  KernelId(const Mask &mask, const KernelSpec &spec, ImageKind kind)
      : digest(mask.digest()), arch(spec.arch), phase(spec.phase), dtype(spec.dtype), headDim(spec.headDim),
        headsPerKeyHead(spec.headsPerKeyHead), kind(kind) {}
  bool operator==(const KernelId &other) const {
    return phase == other.phase && dtype == other.dtype && headDim == other.headDim &&
           headsPerKeyHead == other.headsPerKeyHead && kind == other.kind && arch == other.arch &&
           digest == other.digest;
  }
  struct Hash {
    size_t operator()(const KernelId &id) const {
      const size_t rest = static_cast<size_t>(id.headDim) << 16 | static_cast<size_t>(id.headsPerKeyHead) << 7 |
                          static_cast<size_t>(id.phase) << 4 | static_cast<size_t>(id.dtype) << 2 |
                          static_cast<size_t>(id.kind);
      return std::hash<std::string>()(id.digest) ^ rest * 0x9E3779B97F4A7C15u; // 2^64 / golden ratio: spreads the bits
    }
  };
};

/// Emits and compiles; looks nowhere. Counted by CompileCounter.
Result<KernelImagePtr> compileKernel(const KernelRequest &request, ImageKind kind = ImageKind::Cubin);
Result<KernelImagePtr> compileKernel(const Mask &mask, const KernelSpec &spec, ImageKind kind = ImageKind::Cubin);

/// Safe for threads; one compilation a kernel, whoever asks.
class KernelCache {
public:
  explicit KernelCache(DiskCache disk) : disk(std::move(disk)) {}
  /// Over DiskCache::ofUser().
  static KernelCache &ofProcess();

  Result<KernelImagePtr> get(const Mask &mask, const KernelSpec &spec, ImageKind kind = ImageKind::Cubin);
  Result<KernelImagePtr> get(const KernelRequest &request, ImageKind kind = ImageKind::Cubin);

  /// Whether `get` would find the kernel in memory.
  bool isInMemory(const Mask &mask, const KernelSpec &spec, ImageKind kind = ImageKind::Cubin) {
    return memory.has(KernelId(mask, spec, kind));
  }
  /// Whether `get` would find the kernel on disk.
  bool isOnDisk(const Mask &mask, const KernelSpec &spec, ImageKind kind = ImageKind::Cubin) const;
  bool isOnDisk(const KernelRequest &request, ImageKind kind = ImageKind::Cubin) const;
  const DiskCache &onDisk() const { return disk; }
  /// Why the last kernel could not be kept on disk; empty while all could.
  std::string storeFailure() const;

private:
  Result<KernelImagePtr> loadOrCompile(const KernelRequest &request, ImageKind kind);

  DiskCache disk;
  OnceMap<KernelId, KernelImagePtr, KernelId::Hash> memory;
  OnceMap<std::string, KernelImagePtr> withoutMask; // by structure and kind
  mutable std::mutex failureMutex;
  std::string failure;
};

} // namespace maskjit
