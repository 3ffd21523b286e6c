// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How much device memory gpt-oss takes from its loading to its last token, and how fast it generates: a checkpoint of
// random weights goes through the loader a shard at a time, so 120b needs room for two shards on disk. Needs a GPU.
#include "bench/RandomShards.h"
#include "model/Decoder.h"
#include "model/Generate.h"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <c10/cuda/CUDACachingAllocator.h>
#include <chrono>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <random>
#include <sys/resource.h>

using namespace maskjit;

namespace {

constexpr double kGiB = double(1 << 30);
using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Bytes of the device that are taken: by LibTorch's allocator, which all tensors here come from, and by anything else:
/// the context, kernels, cuBLAS.
void printMemory(const char *when) {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  const auto &tensors = stats.allocated_bytes[0], &reserved = stats.reserved_bytes[0];
  fmt::print("{}: tensors {:.3f} GiB, peak {:.3f}; taken from the device for them {:.3f} GiB, peak {:.3f}; the context "
             "and its kernels {:.3f} GiB\n",
             when, tensors.current / kGiB, tensors.peak / kGiB, reserved.current / kGiB, reserved.peak / kGiB,
             (total - free - reserved.current) / kGiB);
}

struct Arguments {
  std::string size = "20b", folder, nf4 = "none";
  int64_t batch = 8, context = 2048, newTokens = 128, layers = 0;
  bool embeddingOnHost = false;
  GenerateOptions generate;
};

void run(const Arguments &a) {
  const at::Device gpu(at::kCUDA, 0);
  at::zeros({1}, at::TensorOptions(gpu));
  printMemory("at the start");
  const RandomShards shards(a.folder, releasedConfig(a.size, a.layers), 1);
  double writing = 0;
  LoadOptions load;
  load.embeddingOnHost = a.embeddingOnHost;
  load.nf4Attention = a.nf4 == "attention";
  load.shards = shards.oneByOne(writing);
  Clock::time_point start = Clock::now();
  const auto model = GptOss::load(a.folder, gpu, at::kBFloat16, load);
  cudaDeviceSynchronize();
  const double loading = since(start) - writing;
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} of {:.2f} GB: loaded in {:.2f} s ({:.2f} GB/s) beside {:.1f} s of writing its shards one by one; peak "
             "of host memory {:.2f} GiB\n",
             a.size, shards.bytes() / 1e9, loading, shards.bytes() / 1e9 / loading, writing,
             usage.ru_maxrss * 1024 / kGiB);
  printMemory("loaded");

  std::mt19937_64 random(7);
  std::vector<std::vector<int64_t>> prompts(a.batch);
  for (std::vector<int64_t> &prompt : prompts)
    for (int64_t i = 0; i < a.context - a.newTokens; ++i)
      prompt.push_back(static_cast<int64_t>(random() % 200000));
  GenerateOptions options = a.generate;
  options.maxNewTokens = a.newTokens;
  options.ignoreStops = true;
  options.slots = a.batch;
  const auto generation = [&](const char *what) {
    start = Clock::now();
    double first = 0;
    int64_t tokens = 0;
    generate(*model, prompts, options, [&](size_t, int64_t, float) {
      if (++tokens == a.batch) // each sequence has its first token: the steps begin
        first = since(start);
      return true;
    });
    const double steps = since(start) - first;
    fmt::print("{}: batch {}, {} prompt tokens each, {} new ones by {}: {:.2f} s to the first, then {:.0f} tokens/s\n",
               what, a.batch, a.context - a.newTokens, a.newTokens, Decoder::kind(*model), first,
               (tokens - a.batch) / steps);
  };
  generation("generated, kernels compiled on the way");
  generation("generated again");
  printMemory("at the end");
}

} // namespace

int main(int argc, char **argv) {
  setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", /*overwrite=*/0); // as maskjit-rl does
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    fmt::print(stderr, "no libtorch_cuda.so: {}\n", dlerror());
    return 1;
  }
  CLI::App app{"peak device memory and speed of gpt-oss with random weights, loaded a shard at a time"};
  Arguments a;
  a.generate.prefillTokens = 1024;
  app.add_option("--size", a.size, "20b or 120b")->check(CLI::IsMember({"20b", "120b"}))->capture_default_str();
  app.add_option("--folder", a.folder, "folder for shards, with room for two (10 GB); what it writes it removes")
      ->required();
  app.add_option("--batch", a.batch, "sequences at once, each with a prompt of its own")->capture_default_str();
  app.add_option("--context", a.context, "tokens of a sequence at its end")->capture_default_str();
  app.add_option("--new-tokens", a.newTokens, "of these, generated")->capture_default_str();
  app.add_option("--prefill-tokens", a.generate.prefillTokens, "prompt tokens computed at once")->capture_default_str();
  app.add_option("--layers", a.layers, "fewer layers than the model has, to try it out");
  app.add_option("--nf4", a.nf4, "attention: quantized on load")
      ->check(CLI::IsMember({"none", "attention"}))
      ->capture_default_str();
  app.add_flag("--embedding-on-host", a.embeddingOnHost, "the embedding stays in host memory");
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(1);
  const bool own = !std::filesystem::exists(a.folder);
  int status = 0;
  try {
    run(a);
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    status = 1;
  }
  if (own)
    std::filesystem::remove_all(a.folder);
  std::fflush(stdout);
  return status;
}
