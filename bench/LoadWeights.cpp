// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How long a checkpoint takes to load from the page cache, beside what dd gives for the same bytes, interleaved.
#include "model/Weights.h"
#include "runtime/cpu/ThreadPool.h"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <c10/cuda/CUDACachingAllocator.h>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace maskjit;

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Seconds to read all files of the folder into one buffer of 1 MiB, as `dd bs=1M of=/dev/null` does.
double readAll(const std::string &directory, size_t &bytes) {
  static char buffer[1 << 20];
  bytes = 0;
  const auto start = Clock::now();
  for (const auto &entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".safetensors")
      continue;
    const int file = open(entry.path().c_str(), O_RDONLY);
    for (ssize_t n; (n = read(file, buffer, sizeof buffer)) > 0;)
      bytes += n;
    close(file);
  }
  return since(start);
}

/// Bytes a second from pinned memory to the device.
double pinnedRate() {
  constexpr int64_t kBytes = int64_t(1) << 30;
  const at::Tensor from = at::ones({kBytes}, at::TensorOptions(at::kByte).pinned_memory(true));
  at::Tensor to = at::empty({kBytes}, at::TensorOptions(at::kByte).device(at::kCUDA));
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    to.copy_(from);
    best = std::max(best, kBytes / since(start));
  }
  return best;
}

/// Reads every byte of the weights once, on all threads: what views of files put off.
void touch(Weights &weights, const Config &config) {
  std::vector<at::Tensor> all;
  const auto add = [&](const at::Tensor &tensor) { all.push_back(tensor.flatten().view(at::kByte)); };
  visitWeights(weights, config,
               {[&](auto &, auto &, at::Tensor &tensor) { add(tensor); },
                [&](auto &, auto &, Matrix &matrix) {
                  if (const Mxfp4 *w = matrix.mxfp4())
                    add(w->blocks), add(w->scales);
                  else
                    add(matrix.dense());
                }});
  constexpr int64_t kPiece = int64_t(1) << 20;
  std::atomic<uint64_t> sum{0};
  for (const at::Tensor &bytes : all) {
    const auto *data = bytes.const_data_ptr<uint8_t>();
    parallelFor((bytes.numel() + kPiece - 1) / kPiece, [&](int64_t first, int64_t last) {
      uint64_t mine = 0, word;
      for (int64_t at = first * kPiece; at + 8 <= std::min(last * kPiece, bytes.numel()); at += 8)
        std::memcpy(&word, data + at, 8), mine += word;
      sum += mine;
    });
  }
  [[maybe_unused]] static volatile uint64_t kept;
  kept = sum; // so that nothing is left out
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"times loading a checkpoint, packed weights as they are, with a warm page cache"};
  std::string model, device = "cpu";
  int rounds = 5;
  app.add_option("--model", model, "folder of the checkpoint")->required();
  app.add_option("--device", device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  app.add_option("--rounds", rounds, "of reading and loading by turns; the medians are printed");
  CLI11_PARSE(app, argc, argv);
  const bool cuda = device == "cuda";
  if (cuda && !dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    fmt::print(stderr, "no libtorch_cuda.so: {}\n", dlerror());
    return 1;
  }
  try {
    at::set_num_threads(1);
    const Config config = Config::load(model);
    const at::Device to(cuda ? at::kCUDA : at::kCPU, cuda ? 0 : -1);
    const double pinned = cuda ? pinnedRate() : 0;
    std::vector<double> reads, loads, firstUses;
    size_t bytes = 0;
    readAll(model, bytes); // into the page cache
    for (int round = 0; round < rounds; ++round) {
      reads.push_back(readAll(model, bytes));
      const auto start = Clock::now();
      Weights weights = loadWeights(model, config, to, at::kBFloat16);
      if (cuda)
        cudaDeviceSynchronize();
      loads.push_back(since(start));
      if (!cuda)
        touch(weights, config), firstUses.push_back(since(start));
    }
    const auto median = [](std::vector<double> values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double read = median(reads), load = median(loads);
    fmt::print("{:.2f} GB by {} threads: read into one buffer {:.3f} s ({:.2f} GB/s), load {:.3f} s ({:.2f} GB/s), the "
               "first of them {:.3f} s; {:.2f} times the rate of reading\n",
               bytes / 1e9, threadCount(), read, bytes / 1e9 / read, load, bytes / 1e9 / load, loads[0], read / load);
    if (cuda) {
      const auto peak = c10::cuda::CUDACachingAllocator::getDeviceStats(0).allocated_bytes[0].peak;
      fmt::print("pinned memory to the device {:.2f} GB/s, share of it {:.2f}; peak on the device {:.3f} times the "
                 "bytes, of host memory {:.2f} GiB\n",
                 pinned / 1e9, bytes / load / pinned, double(peak) / bytes, usage.ru_maxrss / double(1 << 20));
    } else {
      fmt::print(
          "load and one pass over all bytes {:.3f} s; peak memory, pages of the page cache included, {:.2f} times "
          "the bytes\n",
          median(firstUses), usage.ru_maxrss * 1024.0 / bytes);
    }
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
