// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where rows and keys lie, and their copies in fp32 that the products read.
#pragma once
#include "compiler/device/cpu/Vector.h"

namespace maskjit::cpu {

MASKJIT_INLINE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
MASKJIT_INLINE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

/// Keys that exist for sequence b.
MASKJIT_INLINE int64_t keyCount(const Attention &args, int64_t b) {
  return args.kvLen ? max(0, min(args.kvLen[b], args.lenK)) : args.lenK;
}

MASKJIT_INLINE char *rowAt(const Tensor &t, int64_t b, int64_t h, int64_t s) {
  return elementAt(t.data, b * t.batchStride + h * t.headStride + s * t.seqStride);
}

MASKJIT_INLINE char *keyAt(const Attention &args, const Tensor &t, int64_t b, int64_t h, int64_t k) {
  if (!args.pageTable)
    return rowAt(t, b, h, k);
  uint64_t size = args.pageSize; // a power of two
  int64_t page = args.pageTable[b * args.tableStride + (k >> __builtin_ctzll(size))];
  return rowAt(t, page, h, k & (size - 1));
}

MASKJIT_INLINE void copyRow(float *to, const char *from) {
  for (int64_t d = 0; d < maskjit_head_dim(); d += kLanes)
    store(to + d, loadElements(from + d * elementBytes()));
}
MASKJIT_INLINE void clearRow(float *to) {
  for (int64_t d = 0; d < maskjit_head_dim(); d += kLanes)
    store(to + d, Vec{});
}

/// Keys [low, high) of the tile at k0 as rows: tile[k - k0][d]; the tile's other rows become 0, unread: a cache may
/// hold anything where no key was written.
inline void packKeys(const Attention &args, const Tensor &t, int64_t b, int64_t h, int64_t k0, int64_t low,
                     int64_t high, float *tile) {
  for (int64_t i = 0; i < kKeyTile; ++i)
    if (int64_t k = k0 + i; low <= k && k < high)
      copyRow(tile + i * maskjit_head_dim(), keyAt(args, t, b, h, k));
    else
      clearRow(tile + i * maskjit_head_dim());
}

/// 16 x 16 floats transposed in registers: four rounds, each exchanging rows a distance apart.
MASKJIT_INLINE void transposeBlock(const float *from, int64_t fromRow, float *to, int64_t toRow) {
  Vec v[kLanes], w[kLanes];
#pragma clang loop unroll(full)
  for (int i = 0; i < kLanes; ++i)
    v[i] = load(from + i * fromRow);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    w[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    w[2 * i + 1] =
        __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    v[2 * i] = __builtin_shufflevector(w[i], w[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v[2 * i + 1] =
        __builtin_shufflevector(w[i], w[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    w[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    w[2 * i + 1] =
        __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    store(to + (2 * i) * toRow,
          __builtin_shufflevector(w[i], w[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    store(to + (2 * i + 1) * toRow,
          __builtin_shufflevector(w[i], w[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
}

/// transposed[d][k] = tile[k][d]
__attribute__((noinline)) inline void transposeTile(const float *tile, float *transposed) {
  for (int64_t d = 0; d < maskjit_head_dim(); d += kLanes)
    for (int64_t k = 0; k < kKeyTile; k += kLanes)
      transposeBlock(tile + k * maskjit_head_dim() + d, maskjit_head_dim(), transposed + d * kKeyTile + k, kKeyTile);
}

} // namespace maskjit::cpu
