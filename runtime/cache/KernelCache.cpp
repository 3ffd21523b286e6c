// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The way of a kernel: memory, disk, NVRTC.
#include "runtime/cache/KernelCache.h"
#include "runtime/cache/CompileCounter.h"
#include "runtime/nvrtc/NvrtcVersion.h"

namespace maskjit {

static KernelRequest requestOf(const Mask &mask, const KernelSpec &spec) {
  return {mask.name(), "", spec, [&] { return cudaKey(mask, spec); }, [&] { return emitCuda(mask, spec); }};
}

Result<KernelImagePtr> compileKernel(const Mask &mask, const KernelSpec &spec, ImageKind kind) {
  return compileKernel(requestOf(mask, spec), kind);
}

Result<KernelImagePtr> compileKernel(const KernelRequest &request, ImageKind kind) {
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  if (!nvrtc)
    return nvrtc.error();
  Result<CudaKernel> kernel = request.emit();
  if (!kernel)
    return kernel.error();
  Result<CompiledCuda> compiled =
      nvrtc->compile(kernel->source, request.name + ".cu", request.spec.arch, deviceHeaders(), kernel->options);
  countCompilation();
  if (!compiled)
    return compiled.error();
  auto image = std::make_shared<KernelImage>();
  image->mask = request.name;
  image->key = kernel->key;
  image->spec = request.spec;
  image->structure = request.structure;
  image->kind = kind;
  image->nvrtc = nvrtc->version();
  image->entries = std::move(kernel->entries);
  image->usesHead = kernel->usesHead;
  for (const CudaKernel::Entry &entry : image->entries)
    for (const KernelResources &each : compiled->resources)
      if (each.entry == entry.name)
        image->resources.push_back(each);
  image->image = std::move(kind == ImageKind::Cubin ? compiled->cubin : compiled->ptx);
  return KernelImagePtr(std::move(image));
}

KernelCache &KernelCache::ofProcess() {
  static KernelCache *cache = new KernelCache(DiskCache::ofUser()); // outlives every thread
  return *cache;
}

/// Names on disk: the structure, the kind of code, the version of NVRTC.
static std::string diskPrefix(const std::string &key, ImageKind kind) {
  return key + (kind == ImageKind::Cubin ? ".cubin.nvrtc-" : ".ptx.nvrtc-");
}

/// The entry made by the NVRTC at hand; on a machine without one, by any.
static std::optional<std::string> lookUp(const DiskCache &disk, const std::string &prefix) {
  const std::optional<std::string> version = nvrtcVersion(disk.path());
  return version ? disk.find(prefix + *version) : disk.findPrefix(prefix);
}

Result<KernelImagePtr> KernelCache::get(const Mask &mask, const KernelSpec &spec, ImageKind kind) {
  return memory.get(KernelId(mask, spec, kind), [&] { return loadOrCompile(requestOf(mask, spec), kind); });
}

Result<KernelImagePtr> KernelCache::get(const KernelRequest &request, ImageKind kind) {
  return withoutMask.get((kind == ImageKind::Cubin ? "cubin " : "ptx ") + request.structure,
                         [&] { return loadOrCompile(request, kind); });
}

Result<KernelImagePtr> KernelCache::loadOrCompile(const KernelRequest &request, ImageKind kind) {
  const Result<std::string> key = request.key();
  if (!key)
    return key.error();
  const std::string prefix = diskPrefix(*key, kind);
  if (std::optional<std::string> bytes = lookUp(disk, prefix))
    if (std::optional<KernelImage> image = KernelImage::deserialize(*bytes))
      return KernelImagePtr(std::make_shared<KernelImage>(std::move(*image)));
  Result<KernelImagePtr> image = compileKernel(request, kind);
  if (!image)
    return image;
  // A kernel that cannot be kept is a kernel all the same.
  if (Result<void> stored = disk.store(prefix + (*image)->nvrtc, (*image)->serialize()); !stored) {
    std::lock_guard<std::mutex> lock(failureMutex);
    failure = stored.error().message;
  }
  return image;
}

bool KernelCache::isOnDisk(const Mask &mask, const KernelSpec &spec, ImageKind kind) const {
  return isOnDisk(requestOf(mask, spec), kind);
}

bool KernelCache::isOnDisk(const KernelRequest &request, ImageKind kind) const {
  const Result<std::string> key = request.key();
  return key && lookUp(disk, diskPrefix(*key, kind)).has_value();
}

std::string KernelCache::storeFailure() const {
  std::lock_guard<std::mutex> lock(failureMutex);
  return failure;
}

} // namespace maskjit
