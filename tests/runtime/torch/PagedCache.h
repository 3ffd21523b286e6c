// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Contiguous keys and values laid out in shuffled pages.
#pragma once
#include <ATen/ATen.h>

namespace maskjit::test {

struct PagedCache {
  at::Tensor kPages, vPages, pageTable;

  /// Pages of `pageSize` keys. Rows past the end of the keys hold NaN: nobody may read them.
  static PagedCache of(const at::Tensor &k, const at::Tensor &v, int64_t pageSize) {
    const int64_t batch = k.size(0), heads = k.size(1), length = k.size(2), dim = k.size(3);
    const int64_t perSequence = (length + pageSize - 1) / pageSize, pages = batch * perSequence;
    PagedCache cache;
    cache.kPages = at::full({pages, heads, pageSize, dim}, NAN, k.options());
    cache.vPages = at::full({pages, heads, pageSize, dim}, NAN, v.options());
    at::Tensor table = at::empty({batch, perSequence}, at::kInt);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < perSequence; ++i) {
        // From the last page to the first, sequences interleaved: no page lies where a contiguous cache would have it.
        const int64_t page = pages - 1 - (i * batch + b), begin = i * pageSize,
                      rows = std::min(pageSize, length - begin);
        table[b][i] = page;
        cache.kPages[page].narrow(1, 0, rows).copy_(k[b].narrow(1, begin, rows));
        cache.vPages[page].narrow(1, 0, rows).copy_(v[b].narrow(1, begin, rows));
      }
    cache.pageTable = table.to(k.device());
    return cache;
  }
};

} // namespace maskjit::test
