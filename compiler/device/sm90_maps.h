// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensor maps of Hopper's forward kernel as numbers: what cuTensorMapEncodeTiled is to be called with. Host code.
#pragma once
#include "attention_args.h"
#include "schedules.h"

namespace maskjit::device {

/// Element type bf16 or fp16, interleave none, L2 promotion 256 bytes, zeros outside, all element
/// strides 1.
struct TensorMapShape {
  void *base;
  int rank;
  unsigned long long sizes[5];   // innermost first
  unsigned long long strides[4]; // bytes, of sizes[1] ..
  unsigned box[5];
  int swizzle = 128; // bytes: 128, 64 or 32
};

/// In bytes. The stride of an axis of one element is never taken, and tensors carry anything there: a legal number.
inline unsigned long long sm90_stride(long long elements, long long size) { return size > 1 ? 2ull * elements : 16ull; }

/// Of q or out.
inline TensorMapShape sm90_query_map(const AttentionArgs &args, const Tensor &x, int head_dim, int pack) {
  const long long ratio = args.heads_q / args.heads_kv;
  return {x.data,
          5,
          {static_cast<unsigned long long>(head_dim), static_cast<unsigned long long>(ratio),
           static_cast<unsigned long long>(args.len_q), static_cast<unsigned long long>(args.heads_kv),
           static_cast<unsigned long long>(args.batch)},
          {sm90_stride(x.head_stride, ratio), sm90_stride(x.row_stride, args.len_q),
           sm90_stride(ratio * x.head_stride, args.heads_kv), sm90_stride(x.batch_stride, args.batch)},
          {64, static_cast<unsigned>(pack), 64u / pack, 1, 1}};
}
/// Of k or v.
inline TensorMapShape sm90_key_map(const AttentionArgs &args, const Tensor &x, int head_dim, int tile_k) {
  return {x.data,
          4,
          {static_cast<unsigned long long>(head_dim), static_cast<unsigned long long>(args.len_k),
           static_cast<unsigned long long>(args.heads_kv), static_cast<unsigned long long>(args.batch)},
          {sm90_stride(x.row_stride, args.len_k), sm90_stride(x.head_stride, args.heads_kv),
           sm90_stride(x.batch_stride, args.batch)},
          {64, static_cast<unsigned>(tile_k), 1, 1}};
}

/// What a tensor map can describe: the first element at a multiple of 16 bytes, strides too, and none of 0 or less.
inline bool sm90_can_map(const Tensor &x, int batch, int heads, int rows) {
  auto fits = [](long long stride, int size) { return size == 1 || (stride > 0 && stride % 8 == 0); };
  return reinterpret_cast<unsigned long long>(x.data) % 16 == 0 && fits(x.batch_stride, batch) &&
         fits(x.head_stride, heads) && fits(x.row_stride, rows);
}
/// Whether attention_forward_sm90 serves a call; attention_forward serves all.
inline bool sm90_serves(const AttentionArgs &args) {
  return !args.page_table && !args.kv_len && args.len_k > 0 &&
         sm90_can_map(args.q, args.batch, args.heads_q, args.len_q) &&
         sm90_can_map(args.out, args.batch, args.heads_q, args.len_q) &&
         sm90_can_map(args.k, args.batch, args.heads_kv, args.len_k) &&
         sm90_can_map(args.v, args.batch, args.heads_kv, args.len_k);
}
/// Blocks of a launch.
inline int sm90_blocks(const AttentionArgs &args, int tile_q, int pack, int multiprocessors) {
  const int positions = tile_q / pack;
  const long long items = 1ll * args.batch * (args.heads_q / pack) * ((args.len_q + positions - 1) / positions);
  return static_cast<int>(items < multiprocessors ? items : multiprocessors);
}

} // namespace maskjit::device
