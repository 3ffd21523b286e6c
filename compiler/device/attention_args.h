// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a launcher hands to an attention kernel: plain C++, the same for the host's compiler and for NVRTC.
#pragma once

namespace maskjit::device {

/// One parameter of a mask, in device memory, read by the kernel: a captured graph follows new values. Element i for
/// sequence b is data[b * batch_stride + min(max(i, 0), size - 1)], an int, or a float where the mask declares a float.
struct Param {
  const void *data;
  long long batch_stride; // in elements; 0: the same for every sequence
  int size;               // along the parameter's axis; 1 for a scalar
};

/// The parameters of a mask as a kernel argument, in the order of Mask::params(). Never an empty array, so that the
/// argument exists for every mask.
template <int kCount> struct Params {
  Param values[kCount > 0 ? kCount : 1];
};

/// A [B, H, S, D] tensor: strides in elements, unit stride in D. Rows that all start at multiples of 16 bytes are moved
/// 16 bytes at a time, others element by element: the kernel looks at the pointer and the strides itself.
struct Tensor {
  void *data;
  long long batch_stride, head_stride, row_stride;
};

constexpr int kMostSharers = 16; // sequences that attend a prefix together
constexpr int kSharedRows = 64;  // and at most so many of their heads of one key head
/// The first keys of several sequences, where those lie in the same pages.
struct SharedPrefix {
  int keys, members;
  int slots[kMostSharers];
};

/// One call of any phase. A phase leaves what it does not name unread; unused pointers may be null.
struct AttentionArgs {
  // ---- every phase ----
  Tensor q;              // [B, Hq, Sq, D]
  Tensor k, v;           // [B, Hkv, Sk, D]; with pages [pages, Hkv, page size, D], batch_stride steps over pages
  Tensor out;            // [B, Hq, Sq, D]: forward and decode write it, backward reads it
  float *lse;            // [B, Hq, Sq] contiguous, nats, sink included; written by forward and decode, read by backward
  const float *sinks;    // [Hq], nats, not scaled; null: none
  const int *kv_len;     // [B]: keys at and after it do not exist; null: len_k for all. At most len_k is used
  const int *page_table; // null: no pages. Position p of sequence b: page_table[b * page_table_stride + p / page size]
  long long page_table_stride; // in entries
  int page_shift;              // log2 of the page size
  int batch, heads_q, heads_kv;
  int len_q;   // len_q * (heads_q / heads_kv) is below 2^31
  int len_k;   // capacity: with pages the positions that page_table covers
  float scale; // above 0

  // ---- decode: keys are cut into `splits` parts, merged by a second kernel; with one part there is none ----
  int splits;
  float *split_out; // workspace [B, Hq, Sq, splits, D], 16-byte aligned
  float *split_lse; // workspace [B, Hq, Sq, splits]

  // ---- decode of one query a sequence where sequences share prefixes: workspaces have shared_splits splits more ----
  const int *shared_header;     // number of prefixes, parts that each is cut into; null: no sharing
  const int *first_key;         // [B]: keys before it are a prefix's
  const SharedPrefix *prefixes; // [number of prefixes]
  int shared_splits;            // parts of a prefix at most; 0: no sharing
  int shared_layers;            // of the grid, see attention_decode_shared

  // ---- backward (no pages) ----
  Tensor dout;           // [B, Hq, Sq, D]
  Tensor dq;             // as q
  Tensor dk, dv;         // as k, v
  float *dsinks;         // [Hq]; null: not wanted
  float *row_stats;      // workspace [B, Hq, Sq, 2]: (lse in log2 units, rowsum(dout * out)), 16-byte aligned
  float *dsinks_partial; // workspace [Hq, B * row_stats_blocks(len_q)], only if dsinks
};

/// Launch numbers of the entries that have no schedule; backward_row_stats gives each block kRowStatsRows of one head.
constexpr int kRowStatsRows = 128, kRowStatsThreads = 128;
constexpr int kDsinksThreads = 128;
constexpr int kMergeRows = 4, kMergeThreads = 128;
constexpr int row_stats_blocks(int len_q) { return (len_q + kRowStatsRows - 1) / kRowStatsRows; }

} // namespace maskjit::device
