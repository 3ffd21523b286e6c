// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How fast one compiled decode step of gpt-oss-20b is, and each of its kernels: random weights, so routing is near
// uniform. Needs a GPU.
//
//   bench_decode_step [options] [keys in the cache, 1024] [batches, 1 8 32]
//
// With --group the keys are the groups' prompts, and each batch is measured twice: each sequence by itself, and
// sharing. With --adapter twice as well: without it, and with one on attention and experts.
#include "model/DecodeStep.h"
#include "model/FromWeights.h"
#include "model/QuantizeNf4.h"
#include "runtime/launch/LoadedKernel.h"
#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <c10/core/Event.h>
#include <c10/cuda/CUDAStream.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <numeric>

using namespace maskjit;

namespace {

Config config20b(int64_t layers) {
  std::string types;
  for (int64_t i = 0; i < layers; ++i)
    types += fmt::format("{}\"{}\"", i ? "," : "", i % 2 ? "full_attention" : "sliding_attention");
  return Config::parse(
      fmt::format(R"({{"architectures":["GptOssForCausalLM"],"model_type":"gpt_oss","vocab_size":201088,
"hidden_size":2880,"intermediate_size":2880,"num_hidden_layers":{},"num_attention_heads":64,"num_key_value_heads":8,
"head_dim":64,"num_local_experts":32,"num_experts_per_tok":4,"experts_per_token":4,"sliding_window":128,
"layer_types":[{}],"rms_norm_eps":1e-05,"rope_theta":150000,"swiglu_limit":7.0,"max_position_embeddings":131072,
"initializer_range":0.02,"eos_token_id":200002,"pad_token_id":199999,"attention_bias":true,"hidden_act":"silu",
"tie_word_embeddings":false,"attention_dropout":0.0,"router_aux_loss_coef":0.9,"output_router_logits":false,
"rope_scaling":{{"rope_type":"yarn","factor":32.0,"beta_fast":32.0,"beta_slow":1.0,"truncate":false,
"original_max_position_embeddings":4096}}}})",
                  layers, types),
      "config.json");
}

/// Median milliseconds of `work`, timed by events one at a time.
template <class Work> float median(int times, const Work &work) {
  std::vector<float> all;
  const c10::Stream stream = c10::cuda::getCurrentCUDAStream().unwrap();
  for (int i = 0; i < times; ++i) {
    c10::Event begin(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT),
        end(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT);
    begin.record(stream);
    work();
    end.record(stream);
    end.synchronize();
    all.push_back(static_cast<float>(begin.elapsedTime(end)));
  }
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

/// Bytes a second of a kernel that reads 1 GiB and writes nothing: what bounds a step.
double readRate() {
  static const char *const source = R"(
extern "C" __global__ __launch_bounds__(1024) void read_all(const uint4 *data, long long count, unsigned *out) {
  unsigned x = 0;
  const long long stride = gridDim.x * 1024ll;
  for (long long i = blockIdx.x * 1024ll + threadIdx.x; i + 7 * stride < count; i += 8 * stride)
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      uint4 v;
      asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(data + i + k * stride));
      x ^= v.x ^ v.y ^ v.z ^ v.w;
    }
  if (x == 0x12345)
    *out = x;
})";
  const auto device = cuda::Device::current();
  const auto target = device ? cuda::targetOf(device->major, device->minor) : Result<cuda::Target>(device.error());
  TORCH_CHECK(target, target.error().message);
  KernelRequest request;
  request.name = "read_all", request.structure = "bench read_all", request.spec.arch = target->arch;
  request.key = [] { return Result<std::string>("bench-read-all"); };
  request.emit = [] {
    CudaKernel kernel;
    kernel.source = source, kernel.key = "bench-read-all", kernel.options = {"--std=c++17"};
    kernel.entries = {{"read_all", 1024, 0, 0, 0}};
    return Result<CudaKernel>(kernel);
  };
  const auto kernel = cuda::LoadedKernel::find(request, target->kind, *device);
  TORCH_CHECK(kernel, kernel.error().message);
  constexpr int64_t kBytes = int64_t(1) << 30;
  const at::Tensor memory = at::zeros({kBytes + 16}, at::TensorOptions(at::kByte).device(at::kCUDA));
  const void *data = memory.data_ptr();
  long long count = kBytes / 16;
  void *out = memory.data_ptr<uint8_t>() + kBytes;
  void *arguments[] = {&data, &count, &out};
  const float milliseconds = median(30, [&] {
    const auto done =
        (*kernel)->launch(0, {2 * device->multiprocessors, 1, 1},
                          reinterpret_cast<cuda::Stream>(c10::cuda::getCurrentCUDAStream().stream()), arguments);
    TORCH_CHECK(done, done.error().message);
  });
  return kBytes / (milliseconds * 1e-3);
}

/// Bytes that a step has to read: weights once, of experts those that are hit, the adapter's factors likewise, and the
/// keys, those of a group's prompt once.
double bytesOfStep(const GptOss &model, int64_t batch, int64_t keys, int64_t group) {
  const Config &c = model.config();
  const double hidden = c.hiddenSize, narrow = c.headsKv * c.headDim, router = 2 * hidden * c.experts;
  double missed = 1; // share of experts that no token of the batch takes
  for (int64_t i = 0; i < batch; ++i)
    missed *= 1 - double(c.expertsPerToken) / c.experts;
  const LayerWeights &first = model.weights().layers[0];
  const double expert = double(first.gateUp.bytes() + first.down.bytes()) / c.experts, hit = c.experts * (1 - missed);
  const double rank = model.adapter && model.adapterEnabled ? model.adapter->config().rank : 0,
               inner = c.intermediateSize, wide = c.headsQ * c.headDim;
  const double attentionFactors = 2 * rank * (4 * hidden + 2 * wide + 2 * narrow),
               expertFactors = 2 * rank * (2 * hidden + 3 * inner);
  double all = model.weights().head.bytes() + c.layers * (attentionFactors + hit * expertFactors);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const LayerWeights &w = model.weights().layers[layer];
    const double attention = w.qWeight.bytes() + w.kWeight.bytes() + w.vWeight.bytes() + w.oWeight.bytes();
    const double attended = c.sliding[layer] ? std::min<double>(keys, c.slidingWindow) : keys;
    const double readers = c.sliding[layer] ? batch : double(batch) / group;
    all += attention + router + hit * expert + readers * attended * 2 * narrow * 2;
  }
  return all;
}

/// Copies of one matrix of the normal distribution, each in memory of its own: what is read, and how routing spreads,
/// is as of different ones.
Matrix randomNf4(int64_t matrices, int64_t in, int64_t out, double deviation, at::Device device) {
  Nf4 weight = quantizeNf4(at::empty({out, in}, at::TensorOptions(at::kBFloat16).device(device)).normal_(0, deviation));
  for (at::Tensor *part : {&weight.codes, &weight.absmax, &weight.nestedAbsmax})
    *part = part->expand({matrices, -1}).contiguous();
  weight.nestedOffset = weight.nestedOffset.expand({matrices}).contiguous();
  return Matrix(weight);
}

/// How the weights are held: experts in bf16 as checkpoints have them, in NF4 or in MXFP4; what of the rest is in NF4.
Weights weightsOf(const Config &config, at::Device device, const std::string &experts, const std::string &nf4) {
  Weights weights = randomPackedWeights(config, device, at::kBFloat16, 1);
  const auto quantize = [](Matrix &matrix) { matrix = Matrix(quantizeNf4(matrix.dense())); };
  if (nf4 == "all")
    quantize(weights.head);
  for (LayerWeights &layer : weights.layers) {
    if (nf4 != "none")
      for (Matrix *matrix : {&layer.qWeight, &layer.kWeight, &layer.vWeight, &layer.oWeight})
        quantize(*matrix);
    if (experts == "mxfp4")
      continue;
    for (Matrix *matrix : {&layer.gateUp, &layer.down}) {
      const int64_t count = matrix->matrices(), in = matrix->inputs(), out = matrix->outputs();
      *matrix = Matrix(); // gives its memory back first
      *matrix = experts == "nf4" ? randomNf4(count, in, out, config.initializerRange, device)
                                 : Matrix(at::empty({count, in, out}, at::TensorOptions(at::kBFloat16).device(device))
                                              .normal_(0, config.initializerRange));
    }
  }
  return weights;
}

/// How sequences come to the keys in their caches: `group` of them after one prompt.
struct Prompts {
  int64_t keys = 1024, group = 1;
  bool shared = false; // attended together
};

/// `slots`: of the step; at least the batch.
void measure(const GptOss &model, int64_t batch, int64_t slots, const Prompts &prompts, const SamplingOptions &sampling,
             double rate) {
  const int64_t keys = prompts.keys;
  const Config &config = model.config();
  KvCacheSizes sizes;
  sizes.slots = slots, sizes.capacity = keys + 1024;
  sizes.slidingTokens = (slots + 2) * (config.slidingWindow + sizes.pageSize); // of a prompt too
  KvCache cache(config, sizes, model.device(), model.dtype());
  std::vector<int64_t> running(batch);
  std::iota(running.begin(), running.end(), 0);
  for (int64_t slot = 0; slot < batch && prompts.group == 1; ++slot)
    cache.open(slot, keys + 1024);
  for (int64_t first = 0; first < batch && prompts.group > 1; first += prompts.group) {
    cache.open(first, keys), cache.advance(first, keys);
    const KvPrefix prompt = cache.prefix(first);
    cache.close(first);
    for (int64_t slot = first; slot < std::min(batch, first + prompts.group); ++slot)
      cache.open(slot, prompt, keys + 1024);
    cache.release(prompt);
  }
  for (int64_t layer = 0; layer < config.layers; ++layer)
    cache.k[layer].normal_(), cache.v[layer].normal_();
  DecodeStep step(model, cache, slots, sampling, prompts.shared);
  const int64_t together = step.findSharedPrompts(running);
  step.active.narrow(0, 0, batch).fill_(1), step.kvLength.fill_(keys);
  step.tokens.random_(0, config.vocabSize);
  for (int i = 0; i < 20; ++i)
    step.run();
  const float one = median(200, [&] { step.run(); });
  // As a generation runs: a step follows the other without a wait.
  const float steady = median(5,
                              [&] {
                                for (int i = 0; i < 50; ++i)
                                  step.run();
                              }) /
                       50;
  const double bound = bytesOfStep(model, batch, keys, prompts.group) / rate * 1e3;
  fmt::print(
      "batch {}, {} keys, {}{}: {:.3f} ms a step ({:.3f} ms waiting after each), {:.0f} tokens/s; bound {:.3f} ms, "
      "{:.1f}% of it; {} launches, {} capture\n",
      batch, keys,
      model.adapter && model.adapterEnabled ? fmt::format("adapter of rank {}", model.adapter->config().rank)
                                            : "no adapter",
      prompts.group > 1 ? fmt::format(", groups of {}, {} slots attend together", prompts.group, together) : "", steady,
      one, batch / steady * 1e3, bound, 100 * bound / steady, step.kernels().size(), step.captures());
  float sum = 0;
  for (const auto &[name, milliseconds] : step.timeKernels(20)) {
    sum += milliseconds;
    const std::vector<std::string> all = step.kernels();
    const auto launches = std::count(all.begin(), all.end(), name);
    fmt::print("  {:<40} {:>3} launches {:>9.1f} us each {:>8.3f} ms\n", name, launches, 1e3 * milliseconds / launches,
               milliseconds);
  }
  fmt::print("  {:<40} {:>34.3f} ms\n", "sum", sum);
}

} // namespace

int main(int argc, char **argv) {
  int64_t rank = 0;
  Prompts prompts;
  std::string experts = "mxfp4", nf4 = "none";
  std::vector<int64_t> numbers; // keys, batches
  int64_t slots = 0;
  SamplingOptions sampling;
  CLI::App app{"speed of one compiled decode step of gpt-oss-20b, and of each of its kernels, with random weights"};
  app.add_option("keys-and-batches", numbers, "keys in the cache (1024), then batches (1 8 32)")
      ->check(CLI::PositiveNumber);
  app.add_option("--experts", experts, "how experts are held")
      ->check(CLI::IsMember({"mxfp4", "nf4", "bf16"}))
      ->capture_default_str();
  app.add_option("--nf4", nf4, "what else is in NF4: none, attention, or all (the head too)")
      ->check(CLI::IsMember({"none", "attention", "all"}))
      ->capture_default_str();
  app.add_option("--slots", slots, "slots of every step, as batch-invariant generation has them");
  app.add_option("--top-k", sampling.topK, "of the draws");
  app.add_option("--top-p", sampling.topP, "of the draws");
  app.add_option("--adapter", rank, "rank of an adapter on attention and experts");
  app.add_option("--group", prompts.group, "sequences that begin with the same pages");
  CLI11_PARSE(app, argc, argv);
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    fmt::print(stderr, "no libtorch_cuda.so: {}\n", dlerror());
    return 1;
  }
  at::NoGradGuard guard;
  if (!numbers.empty())
    prompts.keys = numbers[0];
  std::vector<int64_t> batches(numbers.begin() + std::min<size_t>(1, numbers.size()), numbers.end());
  if (batches.empty())
    batches = {1, 8, 32};
  const at::Device gpu(at::kCUDA, 0);
  const Config config = config20b(24);
  const auto model = fromWeights(config, weightsOf(config, gpu, experts, nf4), gpu, at::kBFloat16);
  const double rate = readRate();
  fmt::print("reading 1 GiB: {:.0f} GB/s\n", rate / 1e9);
  try {
    if (rank > 0) {
      model->adapter = Lora::create(model->config(), {rank, 2. * rank}, gpu, 1);
      for (auto [name, factor] : model->adapter->parameters())
        factor.normal_(0, 0.02);
    }
    for (int64_t batch : batches)
      for (bool adapted : {false, true})
        for (bool shared : {false, true}) {
          model->adapterEnabled = adapted, prompts.shared = shared;
          if ((!adapted || rank > 0) && (!shared || prompts.group > 1))
            measure(*model, batch, std::max(batch, slots), prompts, sampling, rate);
        }
  } catch (const std::exception &error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
