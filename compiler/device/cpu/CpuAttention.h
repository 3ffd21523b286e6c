// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the CPU kernels are called with: shared by the host (runtime/attention) and the kernels (this folder).
#pragma once
#include <cstdint>

namespace maskjit::cpu {

/// Element i for sequence b is data[b * batchStride + clamp(i, 0, size - 1)]; 32-bit integers or floats.
struct Param {
  const void *data;
  int64_t batchStride, size;
};

/// A [B, H, S, D] tensor; strides in elements, unit stride in D.
struct Tensor {
  void *data;
  int64_t batchStride, headStride, seqStride;
};

/// One call of attention. The kernels' entries take it with a range of items; the items of an entry are independent:
///
///   entry             | items                             | reads                      | writes
///   forward           | itemCount(args)                   | q, k, v, sinks             | out, lse
///   backward_rows     | batch * headsQ                    | out, dout                  | delta
///   backward_sinks    | headsQ                            | lse, delta, sinks          | dsinks
///   backward_queries  | itemCount(args)                   | q, k, v, dout, lse, delta  | dq
///   backward_keys     | batch * headsKv * keyTiles(args)  | q, k, v, dout, lse, delta  | dk, dv
struct Attention {
  int64_t batch, headsQ, headsKv, lenQ, lenK;
  float scale;
  Tensor q, k, v, out, dout, dq, dk, dv;
  float *lse, *delta;       // [B, Hq, Sq]
  const float *sinks;       // [Hq] or null
  float *dsinks;            // [Hq]
  const int32_t *kvLen;     // [B] or null
  const int32_t *pageTable; // null: k, v are contiguous
  int64_t tableStride, pageSize;
  const Param *params;
  int64_t headsPerItem, queriesPerItem; // an item: that many rows of that many heads of one key head's group
  void *scratch;                        // scratchBytes(headDim) for the calling thread alone, aligned to 64 bytes
};

inline constexpr int64_t kKeyTile = 64;   // keys, counted from position 0, whatever the mask: results do not depend on
                                          // which other rows or keys a call computes
inline constexpr int64_t kRowTile = 32;   // rows (query, head) whose scores are held at once
inline constexpr int64_t kItemRows = 256; // rows of an item at most: they share one packed key tile

inline int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t keyTiles(const Attention &a) { return divideUp(a.lenK, kKeyTile); }
inline int64_t headChunks(const Attention &a) { return divideUp(a.headsQ / a.headsKv, a.headsPerItem); }
inline int64_t queryTiles(const Attention &a) { return divideUp(a.lenQ, a.queriesPerItem); }
inline int64_t itemCount(const Attention &a) { return a.batch * a.headsKv * headChunks(a) * queryTiles(a); }

/// Rows of an item's buffers (queries, output, its gradient), two packed key tiles and their transposes, two score
/// tiles, and 128 bytes of state a row.
inline constexpr int64_t scratchBytes(int64_t headDim) {
  return 4 * (3 * kItemRows * headDim + 6 * kKeyTile * headDim + 2 * kRowTile * kKeyTile) + kItemRows * 128;
}

} // namespace maskjit::cpu
