// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How many Python workers a second: taken from a pool, asked once, and reaped. `bench_sandbox_pool [seconds]`.
#include "rl/sandbox/WorkerPool.h"
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <thread>

using namespace maskjit;
using namespace maskjit::rl;

/// Doubles every number of a 32x32 matrix in text, some 1 ms of Python with its parsing.
static const char *const kRunner = R"(
import os
def exactly(n):
    data = b''
    while len(data) < n: data += os.read(3, n - len(data))
    return data
request = exactly(int.from_bytes(exactly(8), 'little'))
source, numbers = request.split(b'\0')
space = {}
exec(source, space)
answer = repr(space['f']([float(x) for x in numbers.split()])).encode()
os.write(4, len(answer).to_bytes(8, 'little') + answer)
)";

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
  const Result<SandboxReport> report = probeSandbox();
  const Result<PythonRuntime> python = findPython();
  if (!report || !python) {
    fmt::print(stderr, "{}\n", !report ? report.error().message : python.error().message);
    return 1;
  }
  std::string request = "def f(x): return [2 * v for v in x]";
  request += '\0';
  for (int i = 0; i < 1024; ++i)
    request += fmt::format("{} ", i * 0.5);
  SandboxOptions options;
  options.argv = {python->program, "-I", "-S", "-c", kRunner};
  options.files = python->files;
  options.hidden = python->hidden;
  options.layers = report->active();
  fmt::print("{} with all layers of this machine, each for one request\n", python->program);
  for (bool zygote : {true, false})
    for (int lanes : {1, 2}) {
      options.limits.processes = zygote ? 1 : 2; // allowed threads keep a pool from using a zygote
      Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::create(options, 4);
      std::atomic<long> done = 0, failed = 0;
      const auto start = std::chrono::steady_clock::now();
      const auto until = start + std::chrono::duration<double>(seconds);
      std::vector<std::thread> threads;
      for (int lane = 0; pool && lane < lanes; ++lane)
        threads.emplace_back([&] {
          while (std::chrono::steady_clock::now() < until) {
            Result<SandboxedProcess> worker = (*pool)->take();
            const bool good = worker && !worker->send(request) && worker->receive(10);
            ++(good ? done : failed);
          }
        });
      for (std::thread &thread : threads)
        thread.join();
      const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      fmt::print("{:<26} {} lane{}  {:6.0f} workers a second, {} failed\n",
                 zygote ? "forked from a warm program" : "started one by one", lanes, lanes > 1 ? "s" : " ",
                 static_cast<double>(done) / spent, failed.load());
    }
  return 0;
}
