// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One gpt-oss-20b layer of MXFP4 experts: microseconds by number of tokens, sorting and weighted sum included, beside
// what the bytes and the arithmetic take at the rates measured in the same run.
//   bench_expert_kernels [check] [tokens ...]      check: also compares every row with float64 from the packed bytes;
//   without numbers of tokens those of README.md, and gradients
#include "tests/compiler/device/ExpertsLayer.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <map>
#include <set>

using namespace maskjit;
using namespace maskjit::test;

static const ExpertsSizes kSizes = {2880, 2880, 32, 4, DType::BF16};
static constexpr int kLayers = 2; // in turn, so that no cache holds the weights of the call before

struct Times {
  double median, low, high; // microseconds; 10th and 90th percentile of 25
};
/// Of one of the `count` calls that a graph holds.
static Times timeGraph(GpuTimer &timer, int count, const std::function<void(int)> &body) {
  const GpuGraph graph([&] {
    for (int i = 0; i < count; ++i)
      body(i);
  });
  std::vector<double> us;
  for (int i = -3; i < 25; ++i) {
    timer.start();
    graph.replay();
    const double each = 1e3 * timer.stop() / count;
    if (i >= 0)
      us.push_back(each);
  }
  std::sort(us.begin(), us.end());
  return {us[12], us[2], us[22]};
}

/// Bytes a second of a kernel that only reads 1 GiB, times 1e-12.
static double readRate(GpuTimer &timer) {
  const Result<DeviceProgram> program = compileDevice(R"(
extern "C" __global__ void read_only(const uint4 *in, uint4 *out, long count) {
  unsigned sum = 0;
#pragma unroll 8
  for (long i = long(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += long(gridDim.x) * blockDim.x) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(in + i));
    sum ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x12345678u) out[0] = make_uint4(sum, 0, 0, 0);
})",
                                                      "sm_90");
  const GpuModule module(program->image);
  const size_t bytes = size_t(1) << 30;
  DeviceBuffer data(bytes), out(16);
  std::vector<uint32_t> noise(bytes / 64);
  for (size_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<uint32_t>(i) * 2654435761u;
  for (int i = 0; i < 16; ++i)
    data.upload(noise.data(), noise.size() * 4);
  const void *in = data.as<void>();
  void *to = out.as<void>();
  long count = static_cast<long>(bytes / 16);
  const Times time = timeGraph(timer, 1, [&](int) {
    module.launch("read_only", {unsigned(multiprocessors()) * 4, 1, 1}, 512, 0, {&in, &to, &count});
  });
  return static_cast<double>(bytes) / time.median * 1e-6;
}

/// TFLOP/s of cuBLAS on an 8192-cubed bf16 product of random numbers; 0 where there is no cuBLAS. One call after a
/// wait, and `together` of them without: a card that is at work for some milliseconds lowers its clock.
struct ProductRate {
  double single = 0, together = 0;
};
static ProductRate productRate(GpuTimer &timer) {
  void *library = nullptr;
  for (const char *name : {"libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.13", "libcublas.so.12"})
    if (!library)
      library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    return {};
  using Handle = void *;
  auto create = reinterpret_cast<int (*)(Handle *)>(dlsym(library, "cublasCreate_v2"));
  auto multiply =
      reinterpret_cast<int (*)(Handle, int, int, int, int, int, const void *, const void *, int, int, const void *, int,
                               int, const void *, void *, int, int, int, int)>(dlsym(library, "cublasGemmEx"));
  constexpr int kN = 8192, kBf16 = 14, kCompute32F = 68, kTransposed = 1;
  const ExpertsSizes sizes = {kN, 0, 0, 0, DType::BF16};
  const DeviceBuffer a(randomRows(sizes, kN, 1)), b(randomRows(sizes, kN, 2)), c(size_t(kN) * kN * 2);
  Handle handle = nullptr;
  if (create(&handle))
    return {};
  const float one = 1, zero = 0;
  auto rate = [&](int count) {
    std::vector<double> us;
    for (int i = -3; i < 15; ++i) {
      timer.start();
      for (int k = 0; k < count; ++k)
        if (multiply(handle, kTransposed, 0, kN, kN, kN, &one, a.as<void>(), kBf16, kN, b.as<void>(), kBf16, kN, &zero,
                     c.as<void>(), kBf16, kN, kCompute32F, -1))
          return 0.0;
      const double each = 1e3 * timer.stop() / count;
      if (i >= 0)
        us.push_back(each);
    }
    std::sort(us.begin(), us.end());
    return 2.0 * kN * kN * kN / us[us.size() / 2] * 1e-6;
  };
  ProductRate rates;
  rates.single = rate(1), rates.together = rate(6);
  return rates;
}

struct Input {
  Routing routing;
  std::vector<uint16_t> x;
  DeviceBuffer dx, chosen, scores;
  Input(int tokens, unsigned seed, bool wild)
      : routing(randomRouting(kSizes, tokens, wild, seed)), x(randomRows(kSizes, tokens, seed + 1)), dx(x),
        chosen(routing.chosen), scores(routing.scores) {}
  /// One token: experts that the call before did not read.
  void take(int first) {
    for (int s = 0; s < kSizes.top; ++s)
      routing.chosen[s] = (first + s) % kSizes.experts;
    chosen.upload(routing.chosen.data(), routing.chosen.size() * sizeof(int));
  }
  void run(ExpertsKernels &kernels, const ExpertsLayer &layer, float *out, int tokens, int parts = 15) const {
    kernels.run(layer, dx.as<void>(), chosen.as<int>(), scores.as<float>(), out, tokens, false, parts);
  }
};

static bool check(ExpertsKernels &kernels, const ExpertsLayer &layer, int tokens) {
  const Input input(tokens, 77 + tokens, tokens > 1);
  std::vector<int> which;
  for (int t = 0; t < std::min(tokens, 16); ++t)
    which.push_back(static_cast<int>(static_cast<int64_t>(t) * tokens / std::min(tokens, 16)));
  const std::vector<double> want = layer.reference(input.x, input.routing, which, !kernels.schedule().single);
  DeviceBuffer out(static_cast<size_t>(tokens) * kSizes.hidden * 4);
  std::vector<float> first;
  bool repeats = true;
  for (int i = 0; i < 10; ++i) {
    out.fill(0xFF);
    kernels.poisonWorkspace();
    input.run(kernels, layer, out.as<float>(), tokens);
    synchronizeGpu();
    const std::vector<float> got = out.download<float>();
    if (first.empty())
      first = got;
    repeats &= std::memcmp(first.data(), got.data(), got.size() * 4) == 0;
  }
  double error = 0, norm = 0;
  for (size_t k = 0; k < which.size(); ++k)
    for (int i = 0; i < kSizes.hidden; ++i) {
      const double w = want[k * kSizes.hidden + i];
      const double d = first[static_cast<size_t>(which[k]) * kSizes.hidden + i] - w;
      error += d * d, norm += w * w;
    }
  const double distance = std::sqrt(error / norm);
  const bool good = distance < 1e-3 && repeats;
  fmt::print("  {:5} tokens, class {:3}: L2 {:.1e}, {} {}\n", tokens, kernels.schedule().tileTokens, distance,
             repeats ? "repeats bit for bit" : "DIFFERS FROM RUN TO RUN", good ? "" : "WRONG");
  return good;
}

/// The two products of a layer's gradient, dX from the packed bytes.
static void gradients(GpuTimer &timer, const ExpertsLayer &layer, double product) {
  ExpertsSpec any;
  any.kind = ExpertsKind::Gradient, any.arch = "sm_90a", any.hidden = kSizes.hidden, any.intermediate = kSizes.hidden;
  for (int tokens : {64, 256, 1024, 8192})
    for (int rows : expertsRowClasses(any)) {
      double us = 0;
      for (bool second : {true, false}) {
        ExpertsSpec spec;
        spec.kind = ExpertsKind::Gradient, spec.expertsPerToken = 1, spec.arch = "sm_90a", spec.rows = rows;
        spec.hidden = second ? kSizes.intermediate : kSizes.hidden;
        spec.intermediate = second ? kSizes.hidden : 2 * kSizes.intermediate;
        const int pairs = tokens * kSizes.top, perRow = second ? kSizes.top : 1;
        ExpertsProduct kernels(spec, pairs, kSizes.experts, spec.arch);
        ExpertsSizes shape = kSizes;
        shape.hidden = spec.intermediate;
        const Routing routing = randomRouting(kSizes, tokens, false, 3);
        const DeviceBuffer dy(randomRows(shape, pairs / perRow, 4)), chosen(routing.chosen);
        DeviceBuffer dx(static_cast<size_t>(pairs) * spec.hidden * 2);
        const Times time = timeGraph(timer, 2, [&](int) {
          kernels.run(second ? layer.down() : layer.gateUp(), dy.as<void>(), chosen.as<int>(), dx.as<void>(), pairs,
                      perRow);
        });
        const double flop = 2.0 * pairs * spec.hidden * spec.intermediate;
        fmt::print("{:5} tokens, dX of {}, class {}: {:.1f} us ({:.1f}-{:.1f}), {:.0f} TFLOP/s; {}\n", tokens,
                   second ? "down" : "gate_up", rows, time.median, time.low, time.high, flop / time.median * 1e-6,
                   kernels.resources());
        us += time.median;
      }
      const double flop = 2.0 * tokens * kSizes.top * 3 * kSizes.hidden * kSizes.hidden;
      fmt::print("{:5} tokens, dX of both, class {}: {:.1f} us, {:.0f} TFLOP/s = {:.0f}% of the product's\n", tokens,
                 rows, us, flop / us * 1e-6, product > 0 ? 100 * flop / us * 1e-6 / product : 0);
    }
}

int main(int argc, char **argv) {
  if (!openGpu() || !hasNvrtc()) {
    fmt::print(stderr, "needs a GPU and NVRTC\n");
    return 1;
  }
  const bool checking = argc > 1 && std::strcmp(argv[1], "check") == 0;
  std::vector<int> wanted; // numbers of tokens
  for (int i = checking ? 2 : 1; i < argc; ++i)
    wanted.push_back(std::atoi(argv[i]));
  GpuTimer timer;
  const double read = readRate(timer);
  const ProductRate rates = productRate(timer);
  const double product = rates.single;
  fmt::print("{}: read {:.2f} TB/s, bf16 product {:.0f} TFLOP/s, {:.0f} in calls without a wait between them\n",
             gpuName(), read, rates.single, rates.together);
  std::vector<std::unique_ptr<ExpertsLayer>> layers;
  for (int i = 0; i < kLayers; ++i)
    layers.push_back(std::make_unique<ExpertsLayer>(kSizes, 5 + i));
  if (wanted.empty()) {
    gradients(timer, *layers[0], product);
    wanted = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
  }
  ExpertsSpec spec;
  spec.hidden = kSizes.hidden, spec.intermediate = kSizes.intermediate, spec.expertsPerToken = kSizes.top;
  spec.arch = "sm_90a";
  bool good = true;
  const int most = *std::max_element(wanted.begin(), wanted.end());
  std::map<int, std::unique_ptr<ExpertsKernels>> compiled;
  for (int tokens : wanted) {
    const int best = *expertsRows(spec, tokens, kSizes.experts);
    for (int rows : expertsRowClasses(spec)) {
      const bool neighbour = rows <= 8 ? tokens <= rows : rows <= 4 * std::max(best, 12) && best <= 4 * rows;
      if (!neighbour)
        continue;
      if (!compiled[rows]) {
        spec.rows = rows;
        compiled[rows] = std::make_unique<ExpertsKernels>(spec, most, kSizes.experts, spec.arch);
        fmt::print("  class {}: {}\n", rows, compiled[rows]->resources());
      }
      ExpertsKernels &kernels = *compiled[rows];
      if (checking && rows == best)
        good &= check(kernels, *layers[tokens & 1], tokens);
      const int rounds = tokens <= 64 ? 16 : 4;
      std::vector<std::unique_ptr<Input>> inputs;
      double bytes = 0;
      for (int i = 0; i < rounds; ++i) {
        inputs.push_back(std::make_unique<Input>(tokens, 1000 + 10 * i, false));
        if (tokens == 1)
          inputs.back()->take(i / kLayers * kSizes.top);
        const std::set<int> hit(inputs.back()->routing.chosen.begin(), inputs.back()->routing.chosen.end());
        bytes += static_cast<double>(hit.size()) * 3 * kSizes.hidden * kSizes.hidden / 32 * 17 / rounds;
      }
      DeviceBuffer out(static_cast<size_t>(tokens) * kSizes.hidden * 4);
      auto time = [&](int parts) {
        return timeGraph(timer, rounds,
                         [&](int i) { inputs[i]->run(kernels, *layers[i % kLayers], out.as<float>(), tokens, parts); });
      };
      const Times all = time(15);
      const double flop = 2.0 * tokens * kSizes.top * 3 * kSizes.hidden * kSizes.hidden;
      fmt::print("{:5} tokens, class {:3}{} {:8.1f} us ({:.1f}-{:.1f}), {:.2f} x bytes at the read rate ({:.1f} us), "
                 "{:.0f} TFLOP/s",
                 tokens, rows, rows == best ? "*" : " ", all.median, all.low, all.high, all.median * read * 1e6 / bytes,
                 bytes / read * 1e-6, flop / all.median * 1e-6);
      if (product > 0 && tokens >= 256) {
        // As the product was timed: one call after a wait, and several without.
        const Times single =
            timeGraph(timer, 1, [&](int) { inputs[0]->run(kernels, *layers[0], out.as<float>(), tokens, 15); });
        fmt::print(" = {:.0f}% of the product's without waits; one call after a wait {:.1f} us ({:.1f}-{:.1f}), {:.0f} "
                   "TFLOP/s = {:.0f}% of the product's after a wait",
                   100 * flop / all.median * 1e-6 / rates.together, single.median, single.low, single.high,
                   flop / single.median * 1e-6, 100 * flop / single.median * 1e-6 / product);
      }
      if (!kernels.schedule().single && rows == best) // a part alone reads what the whole left behind
        fmt::print("; gate_up {:.1f}, down {:.1f}, route {:.1f}, combine {:.1f}", time(2).median, time(4).median,
                   time(1).median, time(8).median);
      fmt::print("\n");
    }
  }
  return good ? 0 : 1;
}
