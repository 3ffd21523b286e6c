// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The decoder over GptOss::forward, on any device.
#include "model/Decoder.h"
#include "model/StepDecoder.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace maskjit {
namespace {

class ForwardDecoder : public Decoder {
public:
  ForwardDecoder(const GptOss &model, KvCache &cache, int64_t slots, const SamplingOptions &sampling, bool alone)
      : model(model), cache(cache), sampling(sampling), alone(alone), sequences(slots) {
    if (sampling.repetitionPenalty != 1)
      seen = at::zeros({slots, model.config().vocabSize}, at::TensorOptions(at::kBool).device(model.device()));
  }

  void start(const Started &sequence) override {
    sequences[sequence.slot] = sequence;
    if (!seen.defined())
      return;
    seen[sequence.slot].zero_();
    see(sequence.slot, *sequence.prompt);
    see(sequence.slot, {sequence.token});
  }

  void stop(int64_t) override {}

  Drawn step(const std::vector<int64_t> &slots) override {
    if (alone && slots.size() > 1)
      return each(slots);
    Batch next;
    next.slots = slots;
    std::vector<int64_t> tokens, lengths;
    std::vector<uint64_t> numbers;
    for (int64_t slot : slots) {
      Started &sequence = sequences[slot];
      tokens.push_back(sequence.token);
      numbers.push_back(sequence.number);
      lengths.push_back(++sequence.length);
    }
    next.inputIds = at::tensor(tokens, at::kLong).unsqueeze(1);
    const at::Tensor logits = model.logits(model.forward(next, &cache).last.squeeze(1));
    at::Tensor known;
    if (seen.defined())
      known = seen.index_select(0, at::tensor(slots, at::kLong).to(seen.device()));
    const Sample sampled = sample(logits, sampling, numbers, lengths, known);
    for (size_t i = 0; i < slots.size(); ++i) {
      sequences[slots[i]].token = sampled.tokens[i];
      if (seen.defined())
        see(slots[i], {sampled.tokens[i]});
    }
    Drawn drawn;
    drawn.slots = slots;
    drawn.tokens = at::tensor(sampled.tokens, at::kLong), drawn.logProbs = at::tensor(sampled.logProbs, at::kFloat);
    for (size_t i = 0; i < slots.size(); ++i)
      drawn.places.push_back(i);
    return drawn;
  }

  int64_t ahead() const override { return 0; }

private:
  /// The steps of the slots one after the other: a library's products and sums are not those of another number of rows.
  Drawn each(const std::vector<int64_t> &slots) {
    Drawn all;
    all.slots = slots;
    std::vector<at::Tensor> tokens, logProbs;
    for (size_t i = 0; i < slots.size(); ++i) {
      Drawn one = step({slots[i]});
      tokens.push_back(one.tokens), logProbs.push_back(one.logProbs);
      all.places.push_back(i);
    }
    all.tokens = at::cat(tokens), all.logProbs = at::cat(logProbs);
    return all;
  }

  void see(int64_t slot, const std::vector<int64_t> &tokens) {
    seen[slot].index_fill_(0, at::tensor(tokens, at::kLong).to(seen.device()), true);
  }

  const GptOss &model;
  KvCache &cache;
  const SamplingOptions &sampling;
  const bool alone;
  std::vector<Started> sequences; // a slot
  at::Tensor seen;                // [slots, vocabulary]
};

} // namespace

std::string Decoder::kind(const GptOss &model, bool batchInvariant) {
  const std::string why = DecodeStep::refusal(model, batchInvariant);
  return why.empty() ? "the compiled step" : "the forward pass (" + why + ")";
}

std::unique_ptr<Decoder> Decoder::make(const GptOss &model, KvCache &cache, int64_t slots,
                                       const SamplingOptions &sampling, bool batchInvariant, bool sharesPrompts) {
  if (DecodeStep::refusal(model, batchInvariant).empty())
    return std::make_unique<StepDecoder>(model, cache, slots, sampling, sharesPrompts && !batchInvariant);
  return std::make_unique<ForwardDecoder>(model, cache, slots, sampling, batchInvariant);
}

} // namespace maskjit
