// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cache's memory, the pages of its slots, and the way of new keys into them.
#include "model/KvCache.h"
#include <ATen/Functions.h>
#include <algorithm>

namespace maskjit {
namespace {

/// Small host values onto the device without waiting for it.
at::Tensor upload(const at::Tensor &host, at::Device device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
}

KvCacheSizes openFor(int64_t batch, int64_t capacity) {
  KvCacheSizes sizes;
  sizes.slots = batch, sizes.capacity = capacity;
  sizes.slidingTokens = batch * (capacity + sizes.pageSize);
  return sizes;
}

} // namespace

KvCache::KvCache(const Config &config, const KvCacheSizes &sizes, at::Device device, at::ScalarType dtype)
    : size(sizes.pageSize), window(config.slidingWindow), sliding(config.sliding), slotStates(sizes.slots) {
  TORCH_CHECK(sizes.slots > 0 && sizes.capacity > 0, "a KV cache needs at least one sequence and one token, got ",
              sizes.slots, " and ", sizes.capacity);
  TORCH_CHECK(size > 0 && (size & (size - 1)) == 0, "a KV cache's pages hold a power of two of tokens, got ", size);
  width = pagesFor(sizes.capacity);
  const int64_t slidingLayers = std::count(sliding.begin(), sliding.end(), true);
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  makeKind(full, config.layers - slidingLayers, sizes.fullTokens ? pagesFor(sizes.fullTokens) : sizes.slots * width,
           config, options);
  makeKind(ring, slidingLayers,
           sizes.slidingTokens ? pagesFor(sizes.slidingTokens) : sizes.slots * ringPages(sizes.capacity, 1), config,
           options);
  int64_t next[2] = {0, 0};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    Kind &kind = sliding[layer] ? ring : full;
    const int64_t index = next[sliding[layer]]++;
    k.push_back(kind.k[index]);
    v.push_back(kind.v[index]);
  }
  length = at::zeros({sizes.slots}, options.dtype(at::kInt));
}

KvCache::KvCache(const Config &config, int64_t batch, int64_t capacity, at::Device device, at::ScalarType dtype)
    : KvCache(config, openFor(batch, capacity), device, dtype) {
  for (int64_t slot = 0; slot < batch; ++slot)
    open(slot, capacity, capacity);
}

void KvCache::makeKind(Kind &kind, int64_t layers, int64_t pages, const Config &config,
                       const at::TensorOptions &options) {
  // Zeros, since attention multiplies what it masks out by 0: no page may hold what is no number.
  kind.k = at::zeros({layers, pages + 1, config.headsKv, size, config.headDim}, options);
  kind.v = at::zeros_like(kind.k);
  kind.table = at::zeros({slots(), width}, options.dtype(at::kInt));
  kind.pool = PagePool(pages);
  kind.pages.resize(slots());
}

int64_t KvCache::ringPages(int64_t tokens, int64_t atOnce) const {
  // The first of `atOnce` new tokens sees window - 1 keys before it, which the last must not have overwritten.
  return std::min(pagesFor(tokens), pagesFor(window - 1 + std::min(atOnce, tokens)));
}

bool KvCache::canOpen(int64_t tokens, int64_t atOnce) const {
  return pagesFor(tokens) <= full.pool.available() && ringPages(tokens, atOnce) <= ring.pool.available();
}

bool KvCache::canOpen(const KvPrefix &prefix, int64_t tokens) const {
  return pagesFor(tokens) - prefix.length / size <= full.pool.available() &&
         ringPages(tokens, 1) <= ring.pool.available();
}

void KvCache::place(Kind &kind, int64_t slot, std::vector<int32_t> pages) {
  std::vector<int32_t> row(width, 0);
  for (int64_t i = 0; i < width; ++i)
    if (&kind == &ring)
      row[i] = pages.empty() ? 0 : pages[i % pages.size()];
    else
      row[i] = size_t(i) < pages.size() ? pages[i] : 0;
  kind.table[slot].copy_(upload(at::tensor(row, at::kInt), kind.table.device()), /*non_blocking=*/true);
  kind.pages[slot] = std::move(pages);
}

void KvCache::start(int64_t slot, int64_t tokens, int64_t atOnce, int64_t held) {
  TORCH_CHECK(room(slot) == 0, "slot ", slot, " of the KV cache is in use; close it before it is opened again");
  TORCH_CHECK(tokens > 0 && tokens <= width * size, "a sequence in this KV cache holds 1 to ", width * size,
              " tokens, got ", tokens);
  slotStates[slot] = {tokens, atOnce, held};
  length[slot].fill_(held);
}

void KvCache::open(int64_t slot, int64_t tokens, int64_t atOnce) {
  start(slot, tokens, atOnce, 0);
  place(full, slot, full.pool.take(pagesFor(tokens)));
  place(ring, slot, ring.pool.take(ringPages(tokens, atOnce)));
}

void KvCache::open(int64_t slot, const KvPrefix &prefix, int64_t tokens) {
  start(slot, tokens, 1, prefix.length);
  const int64_t whole = prefix.length / size;
  std::vector<int32_t> pages(prefix.full.begin(), prefix.full.begin() + whole);
  full.pool.share(pages);
  const std::vector<int32_t> own = full.pool.take(pagesFor(tokens) - whole);
  pages.insert(pages.end(), own.begin(), own.end());
  copyTokens(full, prefix.full, pages, whole * size, prefix.length);
  place(full, slot, std::move(pages));
  std::vector<int32_t> around = ring.pool.take(ringPages(tokens, 1));
  copyTokens(ring, prefix.sliding, around, std::max<int64_t>(0, prefix.length - window), prefix.length);
  place(ring, slot, std::move(around));
}

void KvCache::close(int64_t slot) {
  for (Kind *kind : {&full, &ring}) {
    kind->pool.release(kind->pages[slot]);
    place(*kind, slot, {});
  }
  slotStates[slot] = {};
  length[slot].zero_();
}

KvPrefix KvCache::prefix(int64_t slot) {
  KvPrefix prefix;
  prefix.length = held(slot);
  TORCH_CHECK(prefix.length > 0, "slot ", slot, " of the KV cache holds no token that another could continue");
  // The slot may go on to write behind its last token into the page that both name, where a prefix does not look.
  const std::vector<int32_t> &pages = full.pages[slot];
  prefix.full.assign(pages.begin(), pages.begin() + pagesFor(prefix.length));
  full.pool.share(prefix.full);
  prefix.sliding = ring.pool.take(ringPages(prefix.length, 1));
  copyTokens(ring, ring.pages[slot], prefix.sliding, std::max<int64_t>(0, prefix.length - window), prefix.length);
  return prefix;
}

void KvCache::release(const KvPrefix &prefix) {
  full.pool.release(prefix.full);
  ring.pool.release(prefix.sliding);
}

void KvCache::copyTokens(Kind &kind, const std::vector<int32_t> &from, const std::vector<int32_t> &to, int64_t begin,
                         int64_t end) {
  if (begin == end || kind.k.size(0) == 0)
    return;
  std::vector<int64_t> places[3]; // page read, page written, slot in both
  for (int64_t position = begin; position < end; ++position) {
    places[0].push_back(from[position / size % from.size()]);
    places[1].push_back(to[position / size % to.size()]);
    places[2].push_back(position % size);
  }
  at::Tensor device[3];
  for (int i = 0; i < 3; ++i)
    device[i] = upload(at::tensor(places[i], at::kLong), kind.k.device());
  for (at::Tensor *memory : {&kind.k, &kind.v}) {
    at::Tensor tokens = memory->permute({1, 3, 0, 2, 4}); // [pages, pageSize, layers, Hkv, D]
    tokens.index_put_({device[1], device[2]}, at::index(tokens, {device[0], device[2]}));
  }
}

std::pair<at::Tensor, at::Tensor> KvCache::locate(const at::Tensor &table, const at::Tensor &sequences,
                                                  const at::Tensor &positions) const {
  const at::Tensor page = at::floor_divide(positions, size);
  return {at::index(table, {sequences, page}).to(at::kLong), at::remainder(positions, size)};
}

void KvCache::write(int64_t layer, const at::Tensor &newK, const at::Tensor &newV,
                    const std::pair<at::Tensor, at::Tensor> &places) {
  k[layer].transpose(1, 2).index_put_({places.first, places.second}, newK);
  v[layer].transpose(1, 2).index_put_({places.first, places.second}, newV);
}

} // namespace maskjit
