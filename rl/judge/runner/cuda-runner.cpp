// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-cuda-runner: with `--compile ARCH NVRTC` a filter from CUDA C++ to a cubin, else a process that launches one
// kernel in a context of its own. Its host code is the judge's; only the kernel is foreign.
#include "rl/judge/runner/Channel.h"
#include "rl/judge/runner/DeviceArena.h"
#include "rl/judge/runner/Protocol.h"
#include "runtime/nvrtc/Nvrtc.h"
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <iostream>
#include <iterator>
#include <sys/mman.h>

using namespace maskjit;
using namespace maskjit::rl;
using namespace maskjit::rl::protocol;

/// `library`: NVRTC's file, which the judge found; an empty environment and a bare file system do not show it.
static int compile(const std::string &arch, const std::string &library) {
  setenv("MASKJIT_NVRTC", library.c_str(), 1);
  std::string source{std::istreambuf_iterator<char>(std::cin), {}};
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  Result<CompiledCuda> compiled =
      nvrtc ? nvrtc->compile(source, "program.cu", arch, {}, {"--std=c++17", "--device-int128"})
            : Result<CompiledCuda>(nvrtc.error());
  if (!compiled) {
    std::cerr << "error: " << compiled.error().message << "\n";
    return 1;
  }
  std::cout.write(compiled->cubin.data(), std::streamsize(compiled->cubin.size()));
  return std::cout.flush() ? 0 : 1;
}

namespace {
/// A loaded kernel and what it is launched with.
struct Kernel {
  cuda::Function function = nullptr;
  LaunchShape shape;
  int32_t m = 0, n = 0, k = 0;

  Result<void> launch(const DeviceArena &arena) {
    const cuda::Driver &driver = *cuda::Driver::load();
    cuda::DevicePtr a = arena.address(0), b = arena.address(1), c = arena.address(2);
    void *arguments[] = {&a, &b, &c, &m, &n, &k};
    auto blocks = [](int32_t size, int32_t tile) { return unsigned((size + tile - 1) / tile); };
    int code = driver.launchKernel(function, blocks(n, shape.tileColumns), blocks(m, shape.tileRows), 1,
                                   unsigned(shape.blockX), unsigned(shape.blockY), 1, unsigned(shape.sharedBytes),
                                   nullptr, arguments, nullptr);
    if (auto done = driver.check(code, "launching the kernel"); !done)
      return done;
    // Waits for all work of the context: there is no stream but the default one.
    return driver.check(driver.streamSynchronize(nullptr), "running the kernel");
  }
};
} // namespace

static Result<Kernel> load(const std::string &message, const LoadRequest &request) {
  Kernel kernel;
  kernel.m = request.m, kernel.n = request.n, kernel.k = request.k;
  std::memcpy(&kernel.shape, message.data() + sizeof request, sizeof kernel.shape);
  if (auto opened = cuda::useDevice(0); !opened)
    return opened.error();
  const cuda::Driver &driver = *cuda::Driver::load();
  cuda::Module module = nullptr;
  const char *cubin = message.data() + sizeof request + sizeof kernel.shape;
  if (auto done = driver.check(driver.moduleLoadDataEx(&module, cubin, 0, nullptr, nullptr), "loading the program");
      !done)
    return done.error();
  if (driver.moduleGetFunction(&kernel.function, module, "matmul") != 0)
    return Error{"the program defines no extern \"C\" __global__ function `matmul`"};
  if (kernel.shape.sharedBytes > 0)
    if (auto done = driver.check(
            driver.funcSetAttribute(kernel.function, cuda::kFunctionMaxDynamicSharedBytes, kernel.shape.sharedBytes),
            "asking for shared memory");
        !done)
      return done.error();
  return kernel;
}

static int serve() {
  std::string message;
  LoadRequest request;
  if (!receiveRequest(message) || message.size() < sizeof request + sizeof(LaunchShape))
    return 2;
  std::memcpy(&request, message.data(), sizeof request);
  auto m = size_t(request.m), n = size_t(request.n), k = size_t(request.k);
  size_t bytes[] = {m * k * sizeof(float), k * n * sizeof(float), m * n * sizeof(float)};
  SharedLayout layout(bytes[0], bytes[1], bytes[2]);
  void *mapped = mmap(nullptr, layout.total, PROT_READ | PROT_WRITE, MAP_SHARED, kShared, 0);
  if (mapped == MAP_FAILED)
    return 2;
  auto *shared = static_cast<char *>(mapped);
  char *const host[] = {shared + layout.a, shared + layout.b, shared + layout.c};
  Result<Kernel> kernel = load(message, request);
  DeviceArena arena;
  Result<void> state = kernel ? arena.allocate(bytes) : Result<void>(kernel.error());
  if (!state) {
    reply(kInvalid, state.error().message);
    return 0;
  }
  reply(kReady, "");
  while (receiveRequest(message)) {
    Done done{0};
    char what = message.empty() ? 0 : message[0];
    if (what == kUpload) {
      state = arena.upload(host);
    } else if (what == kFetch) {
      state = arena.download(host);
    } else {
      auto begin = std::chrono::steady_clock::now();
      state = kernel->launch(arena);
      done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    if (!state)
      reply(kError, state.error().message);
    else if (what == kUpload || what == kFetch)
      reply(kReady, "");
    else
      reply(kDone, &done, sizeof done);
  }
  return 0;
}

int main(int argc, char **argv) {
  return argc == 4 && std::string(argv[1]) == "--compile" ? compile(argv[2], argv[3]) : serve();
}
