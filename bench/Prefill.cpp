// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How fast gpt-oss-20b reads a prompt, as a share of the card's rate of bf16 products, and what its parts take: random
// MXFP4 weights in the released layout, so routing is near uniform. Needs a GPU.
#include "bench/RandomShards.h"
#include "model/Experts.h"
#include "model/GptOss.h"
#include "model/Norm.h"
#include "model/RowProducts.h"
#include "model/SelfAttention.h"
#include "runtime/torch/Attention.h"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <c10/core/Event.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <dlfcn.h>
#include <fmt/format.h>

using namespace maskjit;

namespace {

const at::Device kGpu(at::kCUDA, 0);

struct Times {
  double median, low, high; // 10th and 90th percentile, ms
};

/// Milliseconds of `work` by events, after one call that is not counted.
template <class Work> Times measure(int times, const Work &work) {
  std::vector<double> all;
  const c10::Stream stream = c10::cuda::getCurrentCUDAStream().unwrap();
  for (int i = 0; i <= times; ++i) {
    c10::Event begin(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT),
        end(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT);
    begin.record(stream);
    work();
    end.record(stream);
    end.synchronize();
    if (i)
      all.push_back(begin.elapsedTime(end));
  }
  std::sort(all.begin(), all.end());
  return {all[times / 2], all[times / 10], all[times - 1 - times / 10]};
}

at::Tensor random(const std::vector<int64_t> &shape, at::ScalarType dtype = at::kBFloat16) {
  return at::empty(shape, at::TensorOptions(dtype).device(kGpu)).normal_();
}

/// FLOP a second of an 8192-cubed bf16 product.
double productRate() {
  const at::Tensor a = random({8192, 8192}), b = random({8192, 8192});
  at::Tensor c = at::empty_like(a);
  const Times t = measure(20, [&] { at::mm_out(c, a, b); });
  return 2.0 * 8192 * 8192 * 8192 / (t.median * 1e-3);
}

/// Multiplications and additions of a prompt: products, attended pairs, and the head for its last token.
double flopOf(const Config &c, double tokens) {
  const double hidden = c.hiddenSize, wide = c.headsQ * c.headDim, narrow = c.headsKv * c.headDim;
  const double projections = hidden * (wide + 2 * narrow) + wide * hidden,
               experts = 3.0 * hidden * c.intermediateSize * c.expertsPerToken, router = hidden * c.experts;
  double all = 2 * hidden * c.vocabSize;
  for (bool sliding : c.sliding) {
    const double window = std::min<double>(tokens, c.slidingWindow);
    const double pairs = sliding ? window * (window + 1) / 2 + (tokens - window) * window : tokens * (tokens + 1) / 2;
    all += 2 * tokens * (projections + experts + router) + 4 * pairs * wide;
  }
  return all;
}

/// A prompt in chunks into an empty cache, and the logits after it.
void prefill(const GptOss &model, const at::Tensor &ids, int64_t chunk, KvCache &cache) {
  const int64_t tokens = ids.size(1);
  cache.open(0, tokens + 64, std::min(tokens, chunk));
  at::Tensor hidden;
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    Batch batch;
    batch.inputIds = ids.narrow(1, begin, std::min(chunk, tokens - begin));
    batch.slots = {0};
    hidden = model.forward(batch, &cache).last;
  }
  model.logits(hidden.narrow(1, hidden.size(1) - 1, 1));
  cache.close(0);
}

KvCacheSizes sizesOf(int64_t tokens, int64_t chunk) {
  KvCacheSizes sizes;
  sizes.slots = 1, sizes.capacity = tokens + 64;
  sizes.slidingTokens = std::min(tokens, chunk) + 256;
  return sizes;
}

void whole(const GptOss &model, int64_t tokens, int64_t chunk, double rate) {
  const at::Tensor ids = at::randint(0, model.config().vocabSize, {1, tokens}, at::kLong);
  KvCache cache(model.config(), sizesOf(tokens, chunk), kGpu, at::kBFloat16);
  auto *allocator = c10::cuda::CUDACachingAllocator::get();
  const auto held = allocator->getDeviceStats(0).allocated_bytes[0].current;
  allocator->resetPeakStats(0);
  const Times t = measure(10, [&] { prefill(model, ids, chunk, cache); });
  const double peak = allocator->getDeviceStats(0).allocated_bytes[0].peak - held;
  const double flop = flopOf(model.config(), tokens), achieved = flop / (t.median * 1e-3);
  fmt::print("{} tokens in chunks of {}: {:.1f} ms ({:.1f}-{:.1f}), {:.0f} tokens/s, {:.1f} TFLOP, {:.0f} TFLOP/s, "
             "{:.1f}% of the product's rate; {:.0f} MiB beside weights and cache\n",
             tokens, std::min(chunk, tokens), t.median, t.low, t.high, tokens / t.median * 1e3, flop * 1e-12,
             achieved * 1e-12, 100 * achieved / rate, peak / (1 << 20));
}

/// Each part of a pass over `tokens` tokens alone, times the layers that have it.
void parts(const GptOss &model, int64_t tokens, double all) {
  const Config &c = model.config();
  const LayerWeights &w = model.weights().layers[0];
  const int64_t full = std::count(c.sliding.begin(), c.sliding.end(), false), sliding = c.layers - full;
  double sum = 0;
  const auto part = [&](const char *name, int64_t layers, const auto &work) {
    const Times t = measure(10, work);
    sum += layers * t.median;
    fmt::print("  {:<44} {:>3} x {:>8.3f} ms ({:.3f}-{:.3f}) {:>8.2f} ms\n", name, layers, t.median, t.low, t.high,
               layers * t.median);
  };
  at::Tensor x = random({tokens, c.hiddenSize}, at::kFloat);
  const at::Tensor half = random({tokens, c.hiddenSize}), wide = random({tokens, c.hiddenSize}, at::kFloat);
  part("residual and norm before attention", c.layers, [&] {
    at::Tensor pending = wide;
    addNorm(x, pending, w.inputNorm, c.rmsNormEps, at::kBFloat16, false);
  });
  part("q, k, v", c.layers, [&] {
    multiplyRows(half, w.qWeight, w.qBias), multiplyRows(half, w.kWeight, w.kBias),
        multiplyRows(half, w.vWeight, w.vBias);
  });
  const at::Tensor q = random({tokens, c.headsQ, c.headDim}), k = random({tokens, c.headsKv, c.headDim}),
                   v = random({tokens, c.headsKv, c.headDim});
  const RopeAngles angles = Rope(c, kGpu).angles(at::arange(tokens, at::TensorOptions(at::kLong).device(kGpu)));
  part("rope", c.layers, [&] { rotate(q, k, angles); });
  KvCache cache(c, 1, tokens, kGpu, at::kBFloat16);
  const at::Tensor row = at::zeros({tokens}, at::TensorOptions(at::kLong).device(kGpu)),
                   position = at::arange(tokens, at::TensorOptions(at::kLong).device(kGpu));
  const auto places = cache.locate(cache.pageTable(1), row, position);
  part("keys and values into pages", c.layers, [&] { cache.write(1, k, v, places); });
  const auto heads = [](const at::Tensor &t) { return t.unsqueeze(0).transpose(1, 2); };
  const at::Tensor window = at::full({}, c.slidingWindow, at::TensorOptions(at::kInt).device(kGpu));
  part("attention, full", full, [&] { attention(heads(q), heads(k), heads(v), w.sinks, kFullMask, {}); });
  part("attention, window", sliding, [&] { attention(heads(q), heads(k), heads(v), w.sinks, kSlidingMask, {window}); });
  const at::Tensor flat = q.view({tokens, -1});
  part("output projection", c.layers, [&] { multiplyRows(flat, w.oWeight, w.oBias); });
  part("residual and norm before experts", c.layers, [&] {
    at::Tensor pending = half;
    addNorm(x, pending, w.postNorm, c.rmsNormEps, at::kBFloat16, true);
  });
  Routing routing;
  part("router", c.layers, [&] { routing = route(wide, w, c.expertsPerToken); });
  part("experts", c.layers, [&] { runExperts(half, routing, w, c, {}); });
  fmt::print("  sum {:.2f} ms of {:.2f}; the rest is the embedding, places, the head, and waiting for the host\n", sum,
             all);
}

} // namespace

int main(int argc, char **argv) {
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    fmt::print(stderr, "no libtorch_cuda.so: {}\n", dlerror());
    return 1;
  }
  CLI::App app{"speed of gpt-oss-20b's prefill with random MXFP4 experts"};
  std::vector<int64_t> prompts = {8192, 32768}, chunks = {8192, 4096};
  app.add_option("--tokens", prompts, "lengths of prompts")->capture_default_str();
  app.add_option("--chunks", chunks, "tokens computed at once")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(1);
  const at::NoGradGuard guard;
  try {
    const auto model =
        GptOss::randomPacked(Config::parse(releasedConfig("20b"), "config.json"), kGpu, at::kBFloat16, 1);
    const double rate = productRate();
    fmt::print("8192-cubed bf16 product: {:.0f} TFLOP/s\n", rate * 1e-12);
    for (int64_t tokens : prompts)
      for (int64_t chunk : chunks)
        whole(*model, tokens, chunk, rate);
    for (int64_t tokens : chunks) {
      KvCache cache(model->config(), sizesOf(tokens, tokens), kGpu, at::kBFloat16);
      const at::Tensor ids = at::randint(0, model->config().vocabSize, {1, tokens}, at::kLong);
      fmt::print("parts of {} tokens at once, each alone:\n", tokens);
      parts(*model, tokens, measure(10, [&] { prefill(*model, ids, tokens, cache); }).median);
    }
    fmt::print("8192-cubed bf16 product at the end: {:.0f} TFLOP/s\n", productRate() * 1e-12);
  } catch (const std::exception &error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
