// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times attention on the CPU, fp32, 8 query and 2 key heads, D 64, beside LibTorch's scaled_dot_product_attention.
//   bench_cpu_attention [runs]      MASKJIT_THREADS=2 for two cores
// Medians (least - most) of wall time, both sides on the same threads, one after the other in each round.
#include "runtime/attention/Attention.h"
#include "runtime/cpu/ThreadPool.h"
#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>

using namespace maskjit;

namespace {

constexpr int64_t kHeadsQ = 8, kHeadsKv = 2, kDim = 64;
int runs = 7;

double milliseconds(const std::function<void()> &work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

struct Times {
  std::vector<double> all;
  double median() {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
  }
  std::string text() {
    char line[64];
    const double middle = median();
    std::snprintf(line, sizeof line, "%9.3f ms (%.3f-%.3f)", middle, all.front(), all.back());
    return line;
  }
};

/// One shape on both sides.
struct Shape {
  Shape(const char *reference, int64_t queries, int64_t keys)
      : mask(*Mask::find(reference)), q(at::randn({1, kHeadsQ, queries, kDim})),
        k(at::randn({1, kHeadsKv, keys, kDim})), v(at::randn({1, kHeadsKv, keys, kDim})),
        dout(at::randn({1, kHeadsQ, queries, kDim})), out(at::empty_like(q)), dq(at::empty_like(q)),
        dk(at::empty_like(k)), dv(at::empty_like(v)), lse(at::empty({1, kHeadsQ, queries})) {
    args.batch = 1, args.headsQ = kHeadsQ, args.headsKv = kHeadsKv, args.lenQ = queries, args.lenK = keys,
    args.headDim = kDim;
    args.scale = float(1 / std::sqrt(double(kDim)));
    args.q = view(q), args.k = view(k), args.v = view(v), args.out = view(out),
    args.lse = lse.mutable_data_ptr<float>();
    args.dout = view(dout), args.dq = view(dq), args.dk = view(dk), args.dv = view(dv);
    values.reserve(mask.params().size());
    for (const ParamInfo &info : mask.params()) {
      values.push_back(info.name == "q_offset" ? int32_t(keys - queries) : int32_t(*info.defaultValue));
      args.params.push_back({&values.back(), 0, 1});
    }
  }
  static TensorView view(at::Tensor &t) { return {t.mutable_data_ptr<float>(), t.stride(0), t.stride(1), t.stride(2)}; }

  void forward() {
    if (Result<void> done = attentionForwardCpu(mask, args); !done)
      std::printf("%s\n", done.error().message.c_str());
  }
  void backward() {
    if (Result<void> done = attentionBackwardCpu(mask, args); !done)
      std::printf("%s\n", done.error().message.c_str());
  }
  at::Tensor torch(const std::optional<at::Tensor> &dense, bool causal) {
    return at::scaled_dot_product_attention(q, k, v, dense, 0.0, causal, std::nullopt, /*enable_gqa=*/true);
  }
  /// True where attended, [Sq, Sk].
  at::Tensor dense(int64_t window) const {
    const at::Tensor distance =
        at::arange(args.lenK - args.lenQ, args.lenK).unsqueeze(1).sub(at::arange(args.lenK).unsqueeze(0));
    return distance.ge(0).logical_and(distance.lt(window));
  }

  Mask mask;
  at::Tensor q, k, v, dout, out, dq, dk, dv, lse;
  std::vector<int32_t> values;
  AttentionArgs args;
};

void compare(const char *title, const char *reference, int64_t queries, int64_t keys, int64_t window) {
  Shape shape(reference, queries, keys);
  const at::Tensor mask = shape.dense(window);
  const double first = milliseconds([&] { shape.forward(); });
  const double difference = shape.torch(mask, false).sub(shape.out).abs().max().item<double>();
  Times ours, theirs, causal;
  for (int run = 0; run < runs; ++run) {
    ours.all.push_back(milliseconds([&] { shape.forward(); }));
    theirs.all.push_back(milliseconds([&] { shape.torch(mask, false); }));
    if (queries == keys)
      causal.all.push_back(milliseconds([&] { shape.torch({}, true); }));
  }
  std::printf(
      "%-22s maskjit %s   torch, dense mask %s   %.2f times as fast   max difference %.1e   first call %.0f ms\n",
      title, ours.text().c_str(), theirs.text().c_str(), theirs.median() / ours.median(), difference, first);
  if (queries == keys)
    std::printf("%-22s torch, is_causal %s\n", "", causal.text().c_str());
  std::fflush(stdout);
}

void backward(const char *title, const char *reference, int64_t length) {
  Shape shape(reference, length, length);
  shape.forward();
  shape.backward();
  Times times;
  for (int run = 0; run < runs; ++run)
    times.all.push_back(milliseconds([&] { shape.backward(); }));
  std::printf("%-22s maskjit %s\n", title, times.text().c_str());
}

/// "VmHWM", "VmRSS" of this process, in MiB.
double memory(const std::string &what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(what, 0) == 0)
      return std::stod(line.substr(what.size() + 1)) / 1024;
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc > 1)
    runs = std::max(1, std::atoi(argv[1]));
  c10::InferenceMode inference;
  at::set_num_threads(threadCount());
  std::printf("%d threads, medians of %d runs\n", threadCount(), runs);
  { // first, while nothing else has raised the high-water mark
    Shape shape("gpt_oss_sliding", 65536, 65536);
    const double ms = milliseconds([&] { shape.forward(); });
    std::printf(
        "window 128, 65536      maskjit %.0f ms with the compilation, peak of the process with LibTorch %.0f MiB\n", ms,
        memory("VmHWM:"));
  }
  compare("causal, 4096", "gpt_oss_full", 4096, 4096, 1 << 28);
  compare("window 128, 8192", "gpt_oss_sliding", 8192, 8192, 128);
  compare("causal, 1 of 4096", "gpt_oss_full", 1, 4096, 1 << 28);
  compare("causal, 64 of 4096", "gpt_oss_full", 64, 4096, 1 << 28);
  backward("backward causal, 2048", "gpt_oss_full", 2048);
  backward("backward window, 8192", "gpt_oss_sliding", 8192);
  return 0;
}
