// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NVRTC behind a sandbox, and the launch line of a program.
#include "rl/judge/CompileCuda.h"
#include "rl/judge/Workshop.h"
#include "runtime/launch/Driver.h"
#include "runtime/nvrtc/Nvrtc.h"
#include <cstdio>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

namespace maskjit::rl {

constexpr size_t kCompilerMemory = size_t(4) << 30, kLargestCubin = size_t(32) << 20;
constexpr int kLargestBlock = 1024, kLargestTile = 1024, kLargestShared = 227 << 10;

Result<CudaCompiler> CudaCompiler::create(const std::set<SandboxLayer> &layers, double timeoutSeconds) {
  const Result<cuda::Driver> &driver = cuda::Driver::load();
  if (!driver)
    return Error{"CUDA programs are judged on an NVIDIA GPU: " + driver.error().message};
  int device = 0, major = 0, minor = 0;
  int code = driver->deviceGet(&device, 0);
  if (!code)
    code = driver->deviceGetAttribute(&major, cuda::Attribute::ComputeCapabilityMajor, device);
  if (!code)
    code = driver->deviceGetAttribute(&minor, cuda::Attribute::ComputeCapabilityMinor, device);
  if (auto done = driver->check(code, "looking at GPU 0"); !done)
    return done.error();
  return createFor(fmt::format("sm_{}{}", major, minor), layers, timeoutSeconds);
}

/// Where a library of this process is, which may be known by its bare name.
static std::string fileOfLoaded(const std::string &library) {
  void *handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  link_map *map = nullptr;
  std::string file = handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : library;
  if (handle)
    dlclose(handle);
  return std::filesystem::absolute(file).string();
}

/// NVRTC names parts of the C library that are empty today, and lie beside it.
static std::vector<std::string> withSystemLibraries(std::vector<std::string> files) {
  std::string folder;
  for (const std::string &file : files)
    if (file.find("/libc.so") != std::string::npos)
      folder = file.substr(0, file.rfind('/') + 1);
  for (const char *name : {"librt.so.1", "libpthread.so.0", "libdl.so.2", "libm.so.6"})
    if (!folder.empty() && access((folder + name).c_str(), R_OK) == 0)
      files.push_back(folder + name);
  return files;
}

Result<CudaCompiler> CudaCompiler::createFor(const std::string &arch, const std::set<SandboxLayer> &layers,
                                             double timeoutSeconds) {
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  if (!nvrtc)
    return nvrtc.error();
  Result<std::string> runner = findRunner("maskjit-cuda-runner");
  if (!runner)
    return runner.error();
  std::string library = fileOfLoaded(nvrtc->path());
  Result<std::vector<std::string>> libraries = sharedLibrariesOf(*runner);
  if (!libraries)
    return libraries.error();
  SandboxOptions o;
  o.argv = {*runner, "--compile", arch, library};
  o.files = withSystemLibraries(*libraries);
  // libnvrtc-builtins lies beside it.
  o.files.push_back(library.substr(0, library.rfind('/')));
  o.limits.memoryBytes = kCompilerMemory;
  o.limits.cpuSeconds = o.limits.wallSeconds = timeoutSeconds;
  o.limits.outputBytes = kLargestCubin;
  o.channel = SandboxChannel::Standard;
  o.layers = layers;
  Result<SandboxTemplate> kind = SandboxTemplate::create(std::move(o));
  if (!kind)
    return kind.error();
  return CudaCompiler(std::move(*kind));
}

std::optional<protocol::LaunchShape> launchShapeOf(const std::string &source) {
  protocol::LaunchShape shape;
  size_t line = source.find("// launch:");
  if (line != std::string::npos) {
    std::string text = source.substr(line, source.find('\n', line) - line);
    int x = 0, y = 0;
    if (size_t at = text.find("block "); at != std::string::npos && std::sscanf(&text[at], "block %d %d", &x, &y) == 2)
      shape.blockX = shape.tileColumns = x, shape.blockY = shape.tileRows = y;
    if (size_t at = text.find("tile "); at != std::string::npos && std::sscanf(&text[at], "tile %d %d", &x, &y) == 2)
      shape.tileRows = x, shape.tileColumns = y;
    if (size_t at = text.find("shared "); at != std::string::npos && std::sscanf(&text[at], "shared %d", &x) == 1)
      shape.sharedBytes = x;
  }
  auto within = [](int value, int low, int high) { return value >= low && value <= high; };
  if (!within(shape.blockX, 1, kLargestBlock) || !within(shape.blockY, 1, kLargestBlock) ||
      shape.blockX * shape.blockY > kLargestBlock || !within(shape.tileRows, 1, kLargestTile) ||
      !within(shape.tileColumns, 1, kLargestTile) || !within(shape.sharedBytes, 0, kLargestShared))
    return std::nullopt;
  return shape;
}

CudaCompiler::Outcome CudaCompiler::compile(const std::string &source) const {
  Outcome outcome;
  std::optional<protocol::LaunchShape> shape = launchShapeOf(source);
  if (!shape) {
    outcome.fault =
        "the line `// launch:` asks for a block of more than 1024 threads, a tile of more than 1024, or more "
        "than 227 KiB of shared memory";
    return outcome;
  }
  Result<SandboxedProcess> process = SandboxedProcess::start(kind);
  if (!process) {
    outcome.fault = process.error().message;
    return outcome;
  }
  std::optional<WorkerFailure> failure = process->send(source);
  Reply reply = failure ? Reply{std::nullopt, *failure} : process->finish(kind.options().limits.wallSeconds);
  if (reply && !(*reply).empty()) {
    outcome.program.assign(reinterpret_cast<const char *>(&*shape), sizeof *shape);
    outcome.program += *reply;
    return outcome;
  }
  outcome.timeout = reply.failure.reason == WorkerEnd::Timeout || reply.failure.reason == WorkerEnd::CpuTime;
  std::string said = process->text();
  size_t error = said.find("): error: "); // of a line of the program, else of the compiler as a whole
  error = error != std::string::npos ? error + 3 : said.find("error: ");
  outcome.fault = error != std::string::npos ? said.substr(error, said.find('\n', error) - error)
                                             : "the compiler ended: " + reply.failure.message;
  return outcome;
}

} // namespace maskjit::rl
