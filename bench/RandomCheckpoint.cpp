// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a checkpoint of gpt-oss-20b's or 120b's size with random weights in the released layout: what speed, memory
// and loading are measured on.
#include "bench/RandomShards.h"
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace maskjit;

int main(int argc, char **argv) {
  CLI::App app{"writes a checkpoint of random weights in the released layout of gpt-oss"};
  std::string size = "20b", out;
  int64_t layers = 0;
  uint64_t seed = 0;
  app.add_option("--size", size, "20b (13.8 GB) or 120b (65 GB)")->check(CLI::IsMember({"20b", "120b"}));
  app.add_option("--out", out, "folder to write")->required();
  app.add_option("--layers", layers, "fewer layers than the model has, for a smaller file");
  app.add_option("--seed", seed, "of the random numbers");
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    RandomShards(out, releasedConfig(size, layers), seed).writeAll();
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
