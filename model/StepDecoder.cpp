// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything here is queued on the current stream: a slot's state is written behind the step that used it last.
#include "model/StepDecoder.h"
#include <ATen/Functions.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace maskjit {

StepDecoder::StepDecoder(const GptOss &model, KvCache &cache, int64_t slots, const SamplingOptions &sampling,
                         bool sharesPrompts)
    : cache(cache), compiled(model, cache, slots, sampling, sharesPrompts), active(slots, 0) {}

at::Tensor StepDecoder::toDevice(const at::Tensor &host) const {
  return host.pin_memory().to(compiled.tokens.device(), host.scalar_type(), /*non_blocking=*/true);
}

void StepDecoder::start(const Started &sequence) {
  const int64_t slot = sequence.slot;
  changed = true;
  compiled.tokens[slot].fill_(sequence.token);
  compiled.kvLength[slot].fill_(sequence.length);
  compiled.sequence[slot].fill_(int64_t(sequence.number));
  if (!compiled.seen.defined())
    return;
  std::vector<int64_t> known = *sequence.prompt;
  known.push_back(sequence.token);
  compiled.seen[slot].zero_().index_fill_(0, toDevice(at::tensor(known, at::kLong)), 1);
}

void StepDecoder::stop(int64_t) { changed = true; } // the next step leaves it out

Drawn StepDecoder::step(const std::vector<int64_t> &slots) {
  std::vector<int32_t> now(active.size(), 0);
  for (int64_t slot : slots)
    now[slot] = 1;
  if (changed || now != active)
    compiled.findSharedPrompts(slots);
  changed = false;
  if (now != active) {
    compiled.active.copy_(toDevice(at::tensor(now, at::kInt)), /*non_blocking=*/true);
    active = now;
  }
  compiled.run();
  Drawn drawn;
  drawn.slots = drawn.places = slots;
  const auto fetch = [](const at::Tensor &device) {
    const at::Tensor host = at::empty(device.sizes(), at::TensorOptions(device.scalar_type()).pinned_memory(true));
    return host.copy_(device, /*non_blocking=*/true);
  };
  drawn.tokens = fetch(compiled.drawn), drawn.logProbs = fetch(compiled.logProbs);
  const at::Device device = compiled.tokens.device();
  drawn.ready.emplace(device.type());
  drawn.ready->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  for (int64_t slot : slots)
    cache.advance(slot, 1);
  return drawn;
}

} // namespace maskjit
