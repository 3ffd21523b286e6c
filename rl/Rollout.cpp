// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Completions of one generation batch as tensors.
#include "rl/Rollout.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <stdexcept>

namespace maskjit::rl {

namespace {

struct Field {
  const char *name;
  at::Tensor Rollout::*member;
};
constexpr Field kRowFields[] = {
    {"prompt_ids", &Rollout::promptIds},         {"prompt_mask", &Rollout::promptMask},
    {"completion_ids", &Rollout::completionIds}, {"completion_mask", &Rollout::completionMask},
    {"loss_mask", &Rollout::lossMask},           {"sampling_logps", &Rollout::samplingLogps},
    {"advantages", &Rollout::advantages},        {"old_logps", &Rollout::oldLogps},
    {"ref_logps", &Rollout::refLogps},           {"correction", &Rollout::correction},
};

template <class F> Rollout eachField(const Rollout &rollout, F &&change) {
  Rollout out;
  for (const Field &field : kRowFields)
    if ((rollout.*field.member).defined())
      out.*field.member = change(rollout.*field.member);
  out.itemsInBatch = rollout.itemsInBatch;
  return out;
}

} // namespace

Rollout Rollout::slice(int64_t begin, int64_t count) const {
  return eachField(*this, [&](const at::Tensor &t) { return t.narrow(0, begin, count); });
}

Rollout Rollout::permuted(const at::Tensor &order) const {
  return eachField(*this, [&](const at::Tensor &t) { return t.index_select(0, order); });
}

std::pair<at::Tensor, at::Tensor> Rollout::joined() const {
  return {at::cat({promptIds, completionIds}, 1), at::cat({promptMask, completionMask}, 1)};
}

std::map<std::string, at::Tensor> Rollout::tensors() const {
  std::map<std::string, at::Tensor> out;
  for (const Field &field : kRowFields)
    if ((this->*field.member).defined())
      out[field.name] = this->*field.member;
  out["items_in_batch"] = itemsInBatch;
  return out;
}

Rollout Rollout::fromTensors(const std::map<std::string, at::Tensor> &tensors) {
  Rollout out;
  for (const Field &field : kRowFields)
    if (auto it = tensors.find(field.name); it != tensors.end())
      out.*field.member = it->second;
  auto items = tensors.find("items_in_batch");
  if (!out.completionIds.defined() || items == tensors.end())
    throw std::runtime_error("the saved rollout lacks completion_ids or items_in_batch");
  out.itemsInBatch = items->second;
  return out;
}

std::pair<at::Tensor, at::Tensor> padRows(const std::vector<std::vector<int64_t>> &rows, int64_t padId, bool left) {
  size_t width = 1;
  for (const auto &row : rows)
    width = std::max(width, row.size());
  at::Tensor ids = at::full({int64_t(rows.size()), int64_t(width)}, padId, at::kLong);
  at::Tensor mask = at::zeros_like(ids);
  auto *id = ids.mutable_data_ptr<int64_t>();
  auto *seen = mask.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < rows.size(); ++i) {
    size_t start = i * width + (left ? width - rows[i].size() : 0);
    std::copy(rows[i].begin(), rows[i].end(), id + start);
    std::fill_n(seen + start, rows[i].size(), 1);
  }
  return {ids, mask};
}

at::Tensor terminated(const at::Tensor &ids, const at::Tensor &mask, const std::vector<int64_t> &stopAndPadIds) {
  at::Tensor last = (mask.sum(1, true) - 1).clamp_min(0);
  at::Tensor lastId = ids.gather(1, last);
  at::Tensor stops = at::tensor(at::IntArrayRef(stopAndPadIds), ids.options());
  return (lastId == stops.unsqueeze(0)).any(1) & (mask.sum(1) > 0);
}

void recordLengths(const at::Tensor &completionMask, const at::Tensor &terminated, Metrics &metrics) {
  at::Tensor lengths = completionMask.sum(1).to(at::kFloat);
  metrics.set("completions/mean_length", lengths.mean());
  metrics.set("completions/min_length", lengths.min());
  metrics.set("completions/max_length", lengths.max());
  metrics.set("completions/clipped_ratio", 1 - terminated.to(at::kFloat).mean());
  at::Tensor ended = lengths.masked_select(terminated);
  if (ended.numel() == 0)
    ended = at::zeros({1}, lengths.options()); // none ended by itself: 0, as TRL logs it
  metrics.set("completions/mean_terminated_length", ended.mean());
  metrics.set("completions/min_terminated_length", ended.min());
  metrics.set("completions/max_terminated_length", ended.max());
}

} // namespace maskjit::rl
