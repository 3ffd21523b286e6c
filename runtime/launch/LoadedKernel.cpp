// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modules by structure and context. A module stays loaded for the life of the process: captured graphs may hold it.
#include "runtime/launch/LoadedKernel.h"
#include <charconv>
#include <cstdlib>
#include <fmt/format.h>

namespace maskjit::cuda {

static int numberOf(const std::string &arch) {
  int number = 0;
  std::from_chars(arch.data() + 3, arch.data() + arch.size(), number);
  return number;
}

Result<Target> targetOf(int major, int minor) {
  const int wanted = 10 * major + minor;
  if (const char *arch = std::getenv("MASKJIT_ARCH"); arch && *arch)
    return Target{arch, numberOf(arch) == wanted ? ImageKind::Cubin : ImageKind::Ptx};
  const std::string *exact = nullptr, *sameGeneration = nullptr, *portable = nullptr;
  for (const std::string &arch : architectures()) { // ascending
    const int number = numberOf(arch);
    const bool specific = arch.back() == 'a'; // runs on that very capability only
    if (number == wanted)
      exact = &arch;
    if (number > wanted || specific)
      continue;
    portable = &arch;
    if (number / 10 == major)
      sameGeneration = &arch;
  }
  if (exact)
    return Target{*exact, ImageKind::Cubin};
  if (sameGeneration)
    return Target{*sameGeneration, ImageKind::Cubin};
  if (portable)
    return Target{*portable, ImageKind::Ptx};
  return Error{
      fmt::format("the GPU has compute capability {}.{}; kernels need 7.5 or later. Use the CPU target", major, minor)};
}

namespace {
struct LoadedId {
  KernelId kernel;
  Context context;
  bool operator==(const LoadedId &other) const { return context == other.context && kernel == other.kernel; }
  struct Hash {
    size_t operator()(const LoadedId &id) const {
      return KernelId::Hash()(id.kernel) ^ std::hash<Context>()(id.context);
    }
  };
};
} // namespace

Result<DeviceTarget> currentTarget() {
  Result<Device> device = Device::current();
  if (!device)
    return device.error();
  Result<Target> target = targetOf(device->major, device->minor);
  if (!target)
    return target.error();
  return DeviceTarget{*device, *target};
}

Result<std::shared_ptr<const LoadedKernel>> LoadedKernel::find(const Mask &mask, KernelSpec spec,
                                                               const Device &device) {
  Result<Target> target = targetOf(device.major, device.minor);
  if (!target)
    return target.error();
  spec.arch = target->arch;
  using Loaded = OnceMap<LoadedId, std::shared_ptr<const LoadedKernel>, LoadedId::Hash>;
  static Loaded &loaded = *new Loaded; // outlives every thread
  return loaded.get({KernelId(mask, spec, target->kind), device.context},
                    [&] { return load(KernelCache::ofProcess().get(mask, spec, target->kind)); });
}

Result<std::shared_ptr<const LoadedKernel>> LoadedKernel::find(const KernelRequest &request, ImageKind kind,
                                                               const Device &device) {
  using Loaded = OnceMap<std::string, std::shared_ptr<const LoadedKernel>>;
  static Loaded &loaded = *new Loaded; // outlives every thread
  return loaded.get(fmt::format("{} {} {}", fmt::ptr(device.context), static_cast<int>(kind), request.structure),
                    [&] { return load(KernelCache::ofProcess().get(request, kind)); });
}

Result<std::shared_ptr<const LoadedKernel>> LoadedKernel::load(Result<KernelImagePtr> image) {
  if (!image)
    return image.error();
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  auto kernel = std::make_shared<LoadedKernel>();
  kernel->image = *image;
  // An older architecture's code does not wait for the kernel before it.
  if (Result<Device> device = Device::current())
    kernel->overlaps = device->major >= 9 && numberOf((*image)->spec.arch) >= 90;
  Module module = nullptr;
  if (auto done = driver->check(driver->moduleLoadDataEx(&module, (*image)->image.c_str(), 0, nullptr, nullptr),
                                "loading a kernel");
      !done)
    return done.error();
  for (const CudaKernel::Entry &entry : kernel->image->entries) {
    Function function = nullptr;
    int code = driver->moduleGetFunction(&function, module, entry.name.c_str());
    // Together with what is declared in the kernel more than 48 KiB needs the function's leave.
    if (!code && entry.sharedBytes > 0)
      code = driver->funcSetAttribute(function, kFunctionMaxDynamicSharedBytes, entry.sharedBytes);
    if (auto done = driver->check(code, "preparing a kernel"); !done) {
      driver->moduleUnload(module);
      return done.error();
    }
    kernel->functions.push_back(function);
  }
  return std::shared_ptr<const LoadedKernel>(std::move(kernel));
}

Result<void> LoadedKernel::launch(size_t index, Grid grid, Stream stream, void **arguments, bool dependent) const {
  static constexpr int64_t kMostBlocksX = (int64_t(1) << 31) - 1, kMostBlocksYz = 65535;
  const CudaKernel::Entry &e = entry(index);
  if (grid.x < 1 || grid.y < 1 || grid.z < 1)
    return {};
  if (grid.x > kMostBlocksX || grid.y > kMostBlocksYz || grid.z > kMostBlocksYz)
    return Error{fmt::format("{} needs a grid of {} x {} x {} blocks; CUDA has {} x {} x {}. Split the batch", e.name,
                             grid.x, grid.y, grid.z, kMostBlocksX, kMostBlocksYz, kMostBlocksYz)};
  const Driver &driver = *Driver::load();
  const auto x = static_cast<unsigned>(grid.x), y = static_cast<unsigned>(grid.y), z = static_cast<unsigned>(grid.z),
             threads = static_cast<unsigned>(e.threads), shared = static_cast<unsigned>(e.sharedBytes);
  if (dependent && overlaps) {
    LaunchAttribute attributes[] = {{kAttributeProgrammaticSerialization, 0, {1}}, {kAttributeCooperative, 0, {1}}};
    const LaunchConfig config = {x, y, z, threads, 1, 1, shared, stream, attributes, e.cooperative ? 2u : 1u};
    return driver.check(driver.launchKernelEx(&config, functions[index], arguments, nullptr), e.name.c_str());
  }
  const int code =
      e.cooperative ? driver.launchCooperative(functions[index], x, y, z, threads, 1, 1, shared, stream, arguments)
                    : driver.launchKernel(functions[index], x, y, z, threads, 1, 1, shared, stream, arguments, nullptr);
  return driver.check(code, e.name.c_str());
}

} // namespace maskjit::cuda
