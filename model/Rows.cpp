// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves rows between the caller's batch, the packed rows and attention's layout; every gradient is a gather as well.
#include "model/Rows.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

namespace maskjit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// x[index], whose gradient gathers too: row i of the source gets the sum of the gradient's rows places[i], [m,
/// copies].
struct GatherRows : Function<GatherRows> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &index,
                            const at::Tensor &places) {
    context->save_for_backward({places});
    return x.index_select(0, index);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const at::Tensor places = context->get_saved_variables()[0];
    at::Tensor dx = gradients[0].index_select(0, places.flatten());
    if (places.size(1) > 1) {
      std::vector<int64_t> shape = gradients[0].sizes().vec();
      shape[0] = places.size(1);
      shape.insert(shape.begin(), places.size(0));
      dx = dx.view(shape).sum(1);
    }
    return {dx, {}, {}};
  }
};

/// x[index] of distinct rows; the other rows get no gradient.
struct TakeRows : Function<TakeRows> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &index) {
    context->save_for_backward({index});
    context->saved_data["rows"] = x.size(0);
    return x.index_select(0, index);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    std::vector<int64_t> shape = gradients[0].sizes().vec();
    shape[0] = context->saved_data["rows"].toInt();
    const at::Tensor index = context->get_saved_variables()[0];
    return {at::zeros(shape, gradients[0].options()).index_copy_(0, index, gradients[0]), {}};
  }
};

struct HostLayout {
  std::vector<int64_t> callerSlots, alignedSlots, slotRows, positions, sequences, places;
  std::vector<int32_t> lengths, documents;
};

/// The first and the length of a row's real tokens, which are contiguous.
std::pair<int64_t, int64_t> realTokens(const int64_t *mask, int64_t T, int64_t row) {
  int64_t begin = 0, end = T;
  while (begin < T && mask[begin] == 0)
    ++begin;
  while (end > begin && mask[end - 1] == 0)
    --end;
  for (int64_t t = begin; t < end; ++t)
    TORCH_CHECK(mask[t] == 1, "attention_mask: expected 0 or 1 with all ones of a row in one piece, got ", mask[t],
                " at row ", row, ", column ", t, " between real tokens");
  return {begin, end - begin};
}

at::Tensor onHost(const at::Tensor &x, at::ScalarType dtype) { return x.to(at::kCPU, dtype).contiguous(); }

void checkBatch(const Batch &batch, const Config &config, const KvCache *cache) {
  TORCH_CHECK(batch.inputIds.defined() && batch.inputIds.dim() == 2 && batch.inputIds.scalar_type() == at::kLong &&
                  batch.inputIds.numel() > 0,
              "input_ids: expected int64 [B, T], neither of them 0");
  for (auto [tensor, name] : {std::pair(&batch.attentionMask, "attention_mask"), {&batch.positionIds, "position_ids"}})
    TORCH_CHECK(!tensor->defined() || tensor->sizes() == batch.inputIds.sizes(), name, ": expected the shape of ",
                "input_ids, ", batch.inputIds.sizes(), ", got ", tensor->sizes());
  const at::Tensor &documents = batch.documents;
  TORCH_CHECK(!documents.defined() || documents.sizes() == batch.inputIds.sizes() ||
                  (documents.dim() == 1 && documents.size(0) == batch.inputIds.size(1)),
              "document_ids: expected [T] or [B, T] of input_ids, ", batch.inputIds.sizes(), ", got ",
              documents.defined() ? documents.sizes() : at::IntArrayRef());
  TORCH_CHECK(!documents.defined() || !cache, "document_ids: packed rows cannot be appended to a KV cache");
  TORCH_CHECK(cache || batch.slots.empty(), "slots: there is no KV cache that they could be slots of");
  if (cache && batch.slots.empty())
    TORCH_CHECK(cache->slots() == batch.inputIds.size(0), "input_ids: the KV cache holds ", cache->slots(),
                " sequences, got ", batch.inputIds.size(0));
  TORCH_CHECK(batch.slots.empty() || int64_t(batch.slots.size()) == batch.inputIds.size(0), "slots: expected one for ",
              "each of ", batch.inputIds.size(0), " rows, got ", batch.slots.size());
  for (int64_t slot : batch.slots)
    TORCH_CHECK(slot >= 0 && slot < cache->slots(), "slots: expected numbers in 0..", cache->slots() - 1, ", got ",
                slot);
  if (batch.inputIds.is_cpu()) { // on a GPU the check would wait for it; the embedding checks there
    const int64_t low = batch.inputIds.min().item<int64_t>(), high = batch.inputIds.max().item<int64_t>();
    TORCH_CHECK(low >= 0 && high < config.vocabSize, "input_ids: expected ids in 0..", config.vocabSize - 1, ", got ",
                low < 0 ? low : high);
  }
}

/// Every row's new tokens have to fit into its slot.
void checkRoom(const Batch &batch, const std::vector<int64_t> &added, const KvCache &cache) {
  for (size_t row = 0; row < added.size(); ++row) {
    const int64_t slot = batch.slots.empty() ? int64_t(row) : batch.slots[row];
    TORCH_CHECK(cache.held(slot) + added[row] <= cache.room(slot), "the KV cache has room for ", cache.room(slot),
                " tokens in slot ", slot, " and holds ", cache.held(slot), "; ", added[row], " more do not fit");
    TORCH_CHECK(added[row] <= cache.atOnce(slot), "slot ", slot, " of the KV cache takes ", cache.atOnce(slot),
                " tokens at once, got ", added[row], "; its sliding layers keep no more than the window beside them");
  }
}

/// Positions count from the first real token of a row, or of a document.
HostLayout layOut(const Batch &batch, int64_t B, int64_t T, const std::vector<std::pair<int64_t, int64_t>> &spans,
                  int64_t L) {
  constexpr int32_t kPadDocument = 1 << 28; // sorts behind every document id
  HostLayout out;
  at::Tensor documents;
  if (batch.documents.defined()) {
    documents = onHost(batch.documents, at::kInt).expand({B, T}).contiguous();
    out.documents.assign(B * L, kPadDocument);
  }
  out.slotRows.assign(B * L, 0);
  for (int64_t b = 0; b < B; ++b) {
    const auto [begin, length] = spans[b];
    out.lengths.push_back(length);
    int64_t start = 0; // of the document
    for (int64_t j = 0; j < length; ++j) {
      out.slotRows[b * L + j] = out.callerSlots.size();
      out.callerSlots.push_back(b * T + begin + j);
      out.alignedSlots.push_back(b * L + j);
      out.sequences.push_back(b);
      out.places.push_back(j);
      if (documents.defined()) {
        const int32_t *ids = documents.const_data_ptr<int32_t>() + b * T + begin;
        TORCH_CHECK(ids[j] >= 0 && ids[j] < kPadDocument && (j == 0 || ids[j - 1] <= ids[j]),
                    "document_ids: expected ascending ids in 0..", kPadDocument - 1, ", got ", ids[j], " at row ", b,
                    ", column ", begin + j);
        if (j && ids[j] != ids[j - 1])
          start = j;
        out.documents[b * L + j] = ids[j];
      }
      out.positions.push_back(j - start);
    }
  }
  return out;
}

template <class T> at::Tensor toDevice(const std::vector<T> &values, at::Device device) {
  return at::tensor(at::ArrayRef<T>(values), at::CPU(c10::CppTypeToScalarType<T>::value)).to(device);
}

} // namespace

Rows::Rows(const Batch &batch, const Config &config, at::Device device, const KvCache *cache) {
  checkBatch(batch, config, cache);
  B = batch.inputIds.size(0), T = batch.inputIds.size(1), L = T, n = B * T;
  std::vector<std::pair<int64_t, int64_t>> spans(B, {0, T});
  bool padded = false;
  if (batch.attentionMask.defined()) {
    const at::Tensor mask = onHost(batch.attentionMask, at::kLong);
    L = n = 0;
    for (int64_t b = 0; b < B; ++b) {
      spans[b] = realTokens(mask.const_data_ptr<int64_t>() + b * T, T, b);
      L = std::max(L, spans[b].second);
      n += spans[b].second;
    }
    TORCH_CHECK(n > 0, "attention_mask: there is no real token in the batch");
    padded = n != B * T;
  }
  for (const std::pair<int64_t, int64_t> &span : spans)
    added.push_back(span.second);
  if (cache) {
    checkRoom(batch, added, *cache);
    if (!batch.slots.empty())
      slotIndex = toDevice(batch.slots, device);
    cached = ofSlots(cache->length);
    for (int64_t row = 0; row < B; ++row)
      mostCached = std::max(mostCached, cache->held(batch.slots.empty() ? row : batch.slots[row]));
  }
  const at::Tensor ids = batch.inputIds.to(device);
  if (padded || batch.documents.defined()) {
    const HostLayout host = layOut(batch, B, T, spans, L);
    if (padded) {
      callerSlots = toDevice(host.callerSlots, device);
      alignedSlots = toDevice(host.alignedSlots, device);
      slotRows = toDevice(host.slotRows, device);
    }
    if (batch.documents.defined())
      documents = toDevice(host.documents, device).view({B, L});
    lengths = toDevice(host.lengths, device);
    sequences = toDevice(host.sequences, device);
    places = toDevice(host.places, device);
    positions = toDevice(host.positions, device);
  } else {
    const auto options = ids.options();
    lengths = at::full({B}, T, options.dtype(at::kInt));
    places = at::arange(T, options).expand({B, T}).flatten();
    positions = places;
    if (cache)
      sequences = at::arange(B, options).unsqueeze(1).expand({B, T}).flatten();
  }
  this->ids = pack(ids);
  if (cache) {
    places = places + cached.to(at::kLong).index_select(0, sequences);
    positions = places;
  }
  if (batch.positionIds.defined())
    positions = pack(batch.positionIds.to(device, at::kLong));
}

void Rows::toSlots(at::Tensor &x, const at::Tensor &values) const {
  if (slotIndex.defined())
    x.index_copy_(0, slotIndex, values);
  else
    x.copy_(values);
}

at::Tensor Rows::pack(const at::Tensor &x) const {
  const at::Tensor flat = x.flatten(0, 1);
  return callerSlots.defined() ? flat.index_select(0, callerSlots) : flat;
}

at::Tensor Rows::unpack(const at::Tensor &rows) const {
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] = B * T;
  const at::Tensor flat =
      callerSlots.defined() ? at::zeros(shape, rows.options()).index_copy(0, callerSlots, rows) : rows;
  shape[0] = T;
  shape.insert(shape.begin(), B);
  return flat.reshape(shape);
}

at::Tensor Rows::align(const at::Tensor &rows) const {
  // What stands past a sequence's end gets no gradient: no real query sees those keys, and their queries' outputs are
  // dropped by flatten.
  const at::Tensor all = alignedSlots.defined() ? GatherRows::apply(rows, slotRows, alignedSlots.unsqueeze(1)) : rows;
  return all.view({B, L, rows.size(1), rows.size(2)}).transpose(1, 2);
}

at::Tensor Rows::flatten(const at::Tensor &x) const {
  const at::Tensor all = x.transpose(1, 2).reshape({B * L, x.size(1) * x.size(3)});
  return alignedSlots.defined() ? TakeRows::apply(all, alignedSlots) : all;
}

at::Tensor permuteRows(const at::Tensor &x, const at::Tensor &order, const at::Tensor &inverse, int64_t copies) {
  const at::Tensor index = copies == 1 ? order : at::floor_divide(order, copies);
  return GatherRows::apply(x, index, inverse.view({-1, copies}));
}

} // namespace maskjit
