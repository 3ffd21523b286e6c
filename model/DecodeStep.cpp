// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State of the slots, and the graph over the compiled step.
#include "model/DecodeStep.h"
#include "model/Rope.h"
#include "model/SharedPages.h"
#include "model/StepFactors.h"
#include "model/StepInputs.h"
#include <ATen/Functions.h>
#include <algorithm>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <stdexcept>

namespace maskjit {
namespace {

void check(const Result<void> &result) {
  if (!result)
    throw std::runtime_error(result.error().message);
}

void *currentStream() { return c10::cuda::getCurrentCUDAStream().stream(); }

/// A step's graph that is timed alone.
float milliseconds(const StepGraph &graph, int repeats) {
  c10::Event begin(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT),
      end(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT);
  const c10::Stream stream = c10::cuda::getCurrentCUDAStream().unwrap();
  check(graph.replay(currentStream()));
  begin.record(stream);
  for (int i = 0; i < repeats; ++i)
    check(graph.replay(currentStream()));
  end.record(stream);
  end.synchronize();
  return static_cast<float>(begin.elapsedTime(end)) / repeats;
}

} // namespace

struct DecodeStep::Impl {
  at::Device device;
  const KvCache &cache;
  std::vector<at::Tensor> kept; // weights that were converted, memory of the step
  StepFactors factors;
  std::shared_ptr<const Step> step;
  std::optional<StepGraph> graph;
  int64_t captures = 0;
  at::Tensor sharedPrompts;         // the table on the device; undefined: none
  std::vector<int32_t> sharedWords; // what it holds

  Impl(const GptOss &model, const KvCache &cache) : device(model.device()), cache(cache), factors(model) {}

  StepGraph capture(const std::vector<size_t> &launches) {
    Result<StepGraph> captured = StepGraph::capture([&](void *stream) -> Result<void> {
      for (size_t index : launches)
        if (Result<void> done = step->launch(index, stream); !done)
          return done;
      return {};
    });
    if (!captured)
      throw std::runtime_error(captured.error().message);
    return *captured;
  }
};

std::string DecodeStep::refusal(const GptOss &model, bool batchInvariant) {
  if (!model.device().is_cuda())
    return "the decode step is for CUDA, the model is on " + model.device().str();
  if (model.dtype() != at::kBFloat16 && model.dtype() != at::kHalf)
    return "the decode step computes in bfloat16 or float16, the model in " + std::string(c10::toString(model.dtype()));
  if (batchInvariant && !model.weights().layers[0].gateUp.mxfp4())
    return "sums over experts that are dense or in NF4 are cut by how many experts a batch takes; the forward pass is "
           "batch-invariant";
  return unfitWeights(model);
}

DecodeStep::DecodeStep(const GptOss &model, const KvCache &cache, int64_t slots, const SamplingOptions &sampling,
                       bool sharesPrompts) {
  if (const std::string why = refusal(model); !why.empty())
    throw std::runtime_error(why);
  if (slots < 1 || slots > cache.slots())
    throw std::runtime_error("a decode step has 1 to " + std::to_string(cache.slots()) +
                             " slots, as many as its cache; got " + std::to_string(slots));
  sampling.validate();
  const c10::cuda::CUDAGuard guard(model.device());
  const Config &config = model.config();
  const auto options = at::TensorOptions().device(model.device());
  impl = std::make_unique<Impl>(model, cache);
  tokens = at::zeros({slots}, options.dtype(at::kInt)), kvLength = at::zeros_like(tokens);
  active = at::zeros_like(tokens), drawn = at::zeros_like(tokens);
  sequence = at::zeros({slots}, options.dtype(at::kLong));
  logProbs = at::zeros({slots}, options.dtype(at::kFloat));
  logits = at::zeros({slots, config.vocabSize}, options.dtype(at::kFloat));

  StepSetup setup;
  setup.spec = stepSpecOf(model, Rope(config, model.device()).attentionFactor(), slots);
  setup.inputs = stepInputsOf(model, cache, impl->kept);
  impl->factors.describe(setup.spec, setup.inputs);
  impl->factors.refresh();
  const std::pair<const char *, at::Tensor *> state[] = {
      {"tokens", &tokens}, {"written", &kvLength},   {"active", &active}, {"sequences", &sequence},
      {"drawn", &drawn},   {"log_probs", &logProbs}, {"logits", &logits}};
  for (auto [name, tensor] : state)
    setup.inputs[name].data = tensor->data_ptr();
  if (sampling.repetitionPenalty != 1) {
    seen = at::zeros({slots, config.vocabSize}, options.dtype(at::kByte));
    setup.inputs["seen"].data = seen.data_ptr();
    setup.spec.penalty = true;
  }
  setup.sampling = {sampling.temperature,       sampling.topP, sampling.minP,
                    sampling.repetitionPenalty, sampling.topK, sampling.seed};
  if (sharesPrompts && config.headDim <= kMostSharedHeadDim && config.headsQ / config.headsKv <= kMostSharedHeads) {
    impl->sharedWords.resize(sharedPromptsWords(slots));
    impl->sharedPrompts = at::zeros({sharedPromptsWords(slots)}, options.dtype(at::kInt));
    setup.inputs["shared_prompts"].data = impl->sharedPrompts.data_ptr();
    setup.sharedMask = kFullMaskNumber;
  }
  const int64_t positions = cache.pageTable(0).size(1) * cache.pageSize();
  setup.capacity = {positions, positions};
  setup.mostKeys = {std::min(config.slidingWindow, positions), positions}; // sliding, full
  setup.allocate = [&](size_t bytes) {
    impl->kept.push_back(at::zeros({static_cast<int64_t>(bytes)}, options.dtype(at::kByte)));
    return impl->kept.back().data_ptr();
  };
  Result<std::shared_ptr<const Step>> step = Step::make(std::move(setup));
  if (!step)
    throw std::runtime_error(step.error().message);
  impl->step = *step;
}

DecodeStep::~DecodeStep() = default;

void DecodeStep::run() {
  const c10::cuda::CUDAGuard guard(impl->device);
  if (!impl->graph) {
    std::vector<size_t> all(impl->step->kernels().size());
    for (size_t i = 0; i < all.size(); ++i)
      all[i] = i;
    impl->graph = impl->capture(all);
    ++impl->captures;
  }
  check(impl->graph->replay(currentStream()));
}

int64_t DecodeStep::findSharedPrompts(const std::vector<int64_t> &running, int64_t leastSaved) {
  if (!impl->sharedPrompts.defined())
    return 0;
  std::vector<const std::vector<int32_t> *> pages;
  for (int64_t slot : running)
    pages.push_back(&impl->cache.pages(slot));
  const SharedPromptsLayout &layout = impl->step->sharedPrompts();
  std::vector<int32_t> words =
      sharedPromptsTable(groupByPages(running, pages, impl->cache.pageSize()), layout, leastSaved);
  if (words != impl->sharedWords) {
    impl->sharedPrompts.copy_(at::tensor(words, at::kInt).pin_memory(), /*non_blocking=*/true);
    impl->sharedWords = std::move(words);
  }
  return sharingSlots(impl->sharedWords, layout);
}

int64_t DecodeStep::findSharedPrompts(const std::vector<int64_t> &running) {
  return findSharedPrompts(running, kLeastSavedKeys);
}

void DecodeStep::refreshAdapter() {
  const c10::cuda::CUDAGuard guard(impl->device);
  impl->factors.refresh();
}

int64_t DecodeStep::captures() const { return impl->captures; }
std::vector<std::string> DecodeStep::kernels() const { return impl->step->kernels(); }

std::vector<std::pair<std::string, float>> DecodeStep::timeKernels(int repeats) {
  const c10::cuda::CUDAGuard guard(impl->device);
  const std::vector<std::string> names = kernels();
  std::vector<std::pair<std::string, std::vector<size_t>>> groups;
  for (size_t i = 0; i < names.size(); ++i) {
    auto at = std::find_if(groups.begin(), groups.end(), [&](const auto &group) { return group.first == names[i]; });
    if (at == groups.end())
      at = groups.insert(groups.end(), {names[i], {}});
    at->second.push_back(i);
  }
  const at::Tensor before[] = {tokens.clone(), kvLength.clone()};
  std::vector<std::pair<std::string, float>> times;
  for (const auto &[name, launches] : groups)
    times.push_back({name, milliseconds(impl->capture(launches), repeats)});
  tokens.copy_(before[0]), kvLength.copy_(before[1]);
  return times;
}

} // namespace maskjit
