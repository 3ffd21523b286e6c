// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times the portable attention kernels on the GPU at hand: training and prefill shapes forward and backward, decode.
//   bench_attention_kernels [part of a row's name]
// Medians of 20 runs by events, L2 flushed before each; TFLOP/s count attended pairs, 4 D a pair forward, 10 D
// backward.
#include "tests/compiler/device/DeviceProgram.h"
#include "tests/compiler/device/Gpu.h"
#include "tests/compiler/device/KernelFile.h"
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <map>

using namespace maskjit;
using namespace maskjit::test;

namespace {
constexpr int kAll = 1 << 28; // a window without an edge

struct Row {
  const char *name;
  int batch, headsQ, headsKv, lenQ, lenK, headDim, window;
  bool backward;
};
const Row kRows[] = {
    {"causal 2k", 1, 64, 8, 2048, 2048, 64, kAll, true},
    {"causal 8k", 1, 64, 8, 8192, 8192, 64, kAll, true},
    {"causal 32k", 1, 64, 8, 32768, 32768, 64, kAll, false},
    {"window 128, 8k", 1, 64, 8, 8192, 8192, 64, 128, true},
    {"window 128, 32k", 1, 64, 8, 32768, 32768, 64, 128, true},
    {"D 128, causal 8k", 1, 32, 8, 8192, 8192, 128, kAll, true},
    {"D 256, causal 4k", 1, 16, 8, 4096, 4096, 256, kAll, true},
    {"decode 1 x 4k", 1, 64, 8, 1, 4096, 64, kAll, false},
    {"decode 1 x 32k", 1, 64, 8, 1, 32768, 64, kAll, false},
    {"decode 1 x 128k", 1, 64, 8, 1, 131072, 64, kAll, false},
    {"decode 16 x 4k", 16, 64, 8, 1, 4096, 64, kAll, false},
    {"decode 64 x 4k", 64, 64, 8, 1, 4096, 64, kAll, false},
    {"decode 64 x 16k", 64, 64, 8, 1, 16384, 64, kAll, false},
    {"decode 1 x 128k, window 128", 1, 64, 8, 1, 131072, 64, 128, false},
    {"decode 64 x 4k, window 128", 64, 64, 8, 1, 4096, 64, 128, false},
};

double attendedPairs(const Row &r) {
  double pairs = 0;
  for (int q = 0; q < r.lenQ; ++q)
    pairs += std::min({q + r.lenK - r.lenQ + 1, r.window, r.lenK});
  return pairs * r.batch * r.headsQ;
}

/// Fills with normal numbers rounded to bf16, so that neither caches nor power see a pattern.
const char *const kFill = R"(
__device__ unsigned mix(unsigned x) { x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; return x ^ x >> 16; }
extern "C" __global__ void fill(unsigned short *to, long long count, unsigned seed) {
  for (long long i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll) {
    const float u = (mix((unsigned)i * 2 + seed) + 1.f) * 2.3283064e-10f, w = mix((unsigned)i * 2 + 1 + seed) * 2.3283064e-10f;
    const unsigned x = __float_as_int(sqrtf(-2.f * logf(u)) * cospif(2.f * w));
    to[i] = (x + 0x7fff + (x >> 16 & 1)) >> 16;
  }
}
)";

struct Times {
  float median, p10, p90;
};
Times timed(GpuTimer &timer, const std::function<void()> &work) {
  constexpr int kWarmUp = 3, kRuns = 20;
  std::vector<float> ms;
  for (int i = 0; i < kWarmUp + kRuns; ++i) {
    timer.flush();
    timer.start();
    work();
    const float time = timer.stop();
    if (i >= kWarmUp)
      ms.push_back(time);
  }
  std::sort(ms.begin(), ms.end());
  return {ms[kRuns / 2], ms[kRuns / 10], ms[kRuns - 1 - kRuns / 10]};
}

std::string architecture() { return computeCapability() == 90 ? "sm_90a" : fmt::format("sm_{}", computeCapability()); }
DeviceProgram compiled(const std::string &source) {
  Result<DeviceProgram> program = compileDevice(source, architecture());
  if (program)
    return *program;
  fmt::print(stderr, "error: {}\n", program.error().message);
  std::exit(1);
}
} // namespace

int main(int argc, char **argv) {
  if (!openGpu() || !hasNvrtc()) {
    fmt::print(stderr, "error: a GPU and NVRTC are needed to time kernels\n");
    return 1;
  }
  fmt::print("{}\n", gpuName());
  const GpuModule filler(compiled(kFill).image);
  unsigned seed = 1;
  auto random = [&](long long count) {
    DeviceBuffer buffer(size_t(count) * 2);
    uint16_t *to = buffer.as<uint16_t>();
    seed = seed * 1664525 + 1013904223;
    filler.launch("fill", {1024, 1, 1}, 256, 0, {&to, &count, &seed});
    return buffer;
  };
  std::map<std::pair<int, int>, std::pair<KernelFile, DeviceProgram>> files; // by head dim and group
  GpuTimer timer;

  for (const Row &r : kRows) {
    if (argc > 1 && std::string(r.name).find(argv[1]) == std::string::npos)
      continue;
    const int group = r.headsQ / r.headsKv;
    auto &entry = files[{r.headDim, group}];
    if (entry.second.image.empty()) {
      entry.first = kernelFile(windowMask(), {Phase::Forward, DType::BF16, r.headDim, group,
                                              computeCapability() == 90 ? "sm_90a" : "sm_80"});
      entry.second = compiled(entry.first.source);
    }
    const GpuModule module(entry.second.image);
    const long long nq = 1ll * r.batch * r.headsQ * r.lenQ * r.headDim,
                    nk = 1ll * r.batch * r.headsKv * r.lenK * r.headDim;
    const long long rows = nq / r.headDim;
    const DeviceBuffer q = random(nq), k = random(nk), v = random(nk), dout = random(nq), out(nq * 2), dq(nq * 2),
                       dk(nk * 2), dv(nk * 2), lse(rows * 4), stats(rows * 8), sinks(std::vector<float>(r.headsQ, 1.f)),
                       dsinks(r.headsQ * 4), partial(size_t(r.headsQ) * r.batch * device::row_stats_blocks(r.lenQ) * 4),
                       values(std::vector<int>{r.window, r.lenK - r.lenQ, 0});
    auto tensor = [&](const DeviceBuffer &x, int heads, int length) {
      return device::Tensor{x.as<void>(), 1ll * heads * length * r.headDim, 1ll * length * r.headDim, r.headDim};
    };
    device::AttentionArgs args = {};
    args.q = tensor(q, r.headsQ, r.lenQ), args.out = tensor(out, r.headsQ, r.lenQ);
    args.dout = tensor(dout, r.headsQ, r.lenQ), args.dq = tensor(dq, r.headsQ, r.lenQ);
    args.k = tensor(k, r.headsKv, r.lenK), args.v = tensor(v, r.headsKv, r.lenK);
    args.dk = tensor(dk, r.headsKv, r.lenK), args.dv = tensor(dv, r.headsKv, r.lenK);
    args.lse = lse.as<float>(), args.sinks = sinks.as<float>(), args.dsinks = dsinks.as<float>();
    args.row_stats = stats.as<float>(), args.dsinks_partial = partial.as<float>();
    args.batch = r.batch, args.heads_q = r.headsQ, args.heads_kv = r.headsKv, args.len_q = r.lenQ, args.len_k = r.lenK;
    args.scale = 0.125f;
    KernelLaunches kernels = {entry.first, module, {}};
    for (int i = 0; i < 3; ++i)
      kernels.params.push_back({values.as<int>() + i, 0, 1});

    if (r.lenQ > 1) {
      const Times forward = timed(timer, [&] { kernels.forward(args); });
      const double work = attendedPairs(r) * r.headDim;
      fmt::print("{:28} forward  {:8.4f} ms ({:.4f}-{:.4f})  {:4.0f} TFLOP/s\n", r.name, forward.median, forward.p10,
                 forward.p90, 4e-9 * work / forward.median);
      if (entry.first.hasSm90) {
        const Times sm90 = timed(timer, [&] { kernels.forwardSm90(args); });
        fmt::print("{:28} wgmma    {:8.4f} ms ({:.4f}-{:.4f})  {:4.0f} TFLOP/s\n", r.name, sm90.median, sm90.p10,
                   sm90.p90, 4e-9 * work / sm90.median);
      }
      if (r.backward) {
        const Times backward = timed(timer, [&] { kernels.backward(args); });
        fmt::print("{:28} backward {:8.4f} ms ({:.4f}-{:.4f})  {:4.0f} TFLOP/s\n", r.name, backward.median,
                   backward.p10, backward.p90, 10e-9 * work / backward.median);
      }
      continue;
    }
    const double bytes = 4.0 * r.headDim * r.headsKv * r.batch * std::min(r.lenK, r.window);
    for (int splits : {1, 2, 4, 8, 16, 32, 64, 128}) {
      if (splits > 1 && splits * 64 > std::min(r.lenK, r.window))
        break;
      const DeviceBuffer splitOut(rows * splits * r.headDim * 4), splitLse(rows * splits * 4);
      args.splits = splits, args.split_out = splitOut.as<float>(), args.split_lse = splitLse.as<float>();
      const Times decode = timed(timer, [&] { kernels.decode(args); });
      fmt::print("{:28} {:3} splits {:8.1f} us ({:.1f}-{:.1f})  {:.2f} TB/s\n", r.name, splits, 1e3 * decode.median,
                 1e3 * decode.p10, 1e3 * decode.p90, 1e-9 * bytes / decode.median);
    }
  }
  return 0;
}
