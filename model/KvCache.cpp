// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cache's memory and the way of new keys into it.
#include "model/KvCache.h"
#include <ATen/Functions.h>

namespace maskjit {

KvCache::KvCache(const Config &config, int64_t batch, int64_t capacity, at::Device device, at::ScalarType dtype)
    : capacity(capacity) {
  TORCH_CHECK(batch > 0 && capacity > 0, "a KV cache needs at least one sequence and one token, got ", batch, " and ",
              capacity);
  int64_t pageSize = 16;
  while (pageSize < capacity) // the operator takes powers of two
    pageSize *= 2;
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    k.push_back(at::zeros({batch, config.headsKv, pageSize, config.headDim}, options));
    v.push_back(at::zeros_like(k.back()));
  }
  pageTable = at::arange(batch, options.dtype(at::kInt)).unsqueeze(1);
  length = at::zeros({batch}, options.dtype(at::kInt));
}

void KvCache::keep(const std::vector<int64_t> &rows) {
  const at::Tensor index = at::tensor(rows, at::kLong).to(pageTable.device());
  pageTable = pageTable.index_select(0, index);
  length = length.index_select(0, index);
}

void KvCache::copySequences(const KvCache &other, const std::vector<int64_t> &sources) {
  const at::Tensor index = at::tensor(sources, at::kLong).to(pageTable.device());
  const at::Tensor from = other.pageTable.index_select(0, index).flatten(), to = pageTable.flatten();
  for (std::vector<at::Tensor> *pages : {&k, &v})
    for (at::Tensor &layer : *pages) {
      at::Tensor used = layer.narrow(2, 0, other.written);
      used.index_copy_(0, to.to(at::kLong), used.index_select(0, from));
    }
  length = other.length.index_select(0, index);
  written = other.written;
}

std::pair<at::Tensor, at::Tensor> KvCache::locate(const at::Tensor &sequences, const at::Tensor &positions) const {
  const int64_t size = pageSize();
  const at::Tensor page = at::floor_divide(positions, size);
  return {at::index(pageTable, {sequences, page}).to(at::kLong), at::remainder(positions, size)};
}

void KvCache::write(int64_t layer, const at::Tensor &newK, const at::Tensor &newV, const at::Tensor &pages,
                    const at::Tensor &slots) {
  k[layer].transpose(1, 2).index_put_({pages, slots}, newK);
  v[layer].transpose(1, 2).index_put_({pages, slots}, newV);
}

} // namespace maskjit
