// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How long a checkpoint takes to load from the page cache, beside what dd gives for the same bytes, interleaved.
#include "model/Weights.h"
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace maskjit;

namespace {

/// Seconds to read all files of the folder into one buffer of 1 MiB, as `dd bs=1M of=/dev/null` does.
double readAll(const std::string &directory, size_t &bytes) {
  static char buffer[1 << 20];
  bytes = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const auto &entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".safetensors")
      continue;
    const int file = open(entry.path().c_str(), O_RDONLY);
    for (ssize_t n; (n = read(file, buffer, sizeof buffer)) > 0;)
      bytes += n;
    close(file);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"times loading a checkpoint into memory, packed weights as they are"};
  std::string model;
  int rounds = 5;
  app.add_option("--model", model, "folder of the checkpoint")->required();
  app.add_option("--rounds", rounds, "of reading and loading by turns; the medians are printed");
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    const Config config = Config::load(model);
    std::vector<double> reads, loads;
    size_t bytes = 0;
    readAll(model, bytes); // into the page cache
    for (int round = 0; round < rounds; ++round) {
      reads.push_back(readAll(model, bytes));
      const auto start = std::chrono::steady_clock::now();
      const Weights weights = loadWeights(model, config, at::kCPU, at::kBFloat16);
      loads.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    const auto median = [](std::vector<double> values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double read = median(reads), load = median(loads);
    fmt::print("{:.2f} GB: read {:.3f} s ({:.2f} GB/s), load {:.3f} s ({:.2f} GB/s), share {:.2f}; peak memory {:.2f} "
               "times the bytes\n",
               bytes / 1e9, read, bytes / 1e9 / read, load, bytes / 1e9 / load, read / load,
               usage.ru_maxrss * 1024.0 / bytes);
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
