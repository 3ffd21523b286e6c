// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All that a generated attention file includes. Such a file holds a mask, a schedule a kernel, and entries of one call:
//
//   #include "attention/attention.cuh"
//   using namespace maskjit::device;
//
//   struct Mask { ... };  // see attention/mask.cuh
//   constexpr int kParams = 3, kGroup = 8;  // parameters of the mask, query heads a key head
//
//   using Schedule = Forward<Sm80, 64, 128, 32, 2, 4>;
//   extern "C" __global__ __launch_bounds__(Schedule::kThreads, Schedule::kBlocks)
//   void forward(const __grid_constant__ AttentionArgs args, const __grid_constant__ Params<kParams> params) {
//     attention_forward<Schedule, bf16, kGroup, Mask>(args, params.values);
//   }
//
// Every entry takes these two arguments. Grids (units of blocks), heads = Mask::kUsesHead ? heads_q : heads_kv and
// rows = len_q * heads_q / heads:
//
//   | call                                                | grid x, y, z                                         |
//   | attention_forward<Forward<...>, T, kGroup, Mask>    | ceil(rows / kTileQ), heads, batch                    |
//   | attention_decode<Decode<...>, T, kGroup, Mask>      | splits, heads * ceil(rows / kTileQ), batch           |
//   | attention_decode_merge<T, kHeadDim>                 | ceil(batch * heads_q * len_q / kMergeRows), 1, 1;    |
//   |                                                     | kMergeThreads; only if splits > 1                    |
//   | backward_row_stats<T, kHeadDim>                     | row_stats_blocks(len_q), heads_q, batch; kRowStatsThreads |
//   | backward_dsinks                                     | heads_q, 1, 1; kDsinksThreads; only if dsinks        |
//   | backward_dq<BackwardDq<...>, T, kGroup, Mask>       | as forward, with its kTileQ                          |
//   | backward_dkdv<BackwardDkDv<...>, T, kGroup, Mask>   | ceil(len_k / kTileK), heads_kv, batch                |
//
// attention_decode_shared takes the place of attention_decode where sequences share keys; its own grid stands beside
// it.
//
// backward_row_stats comes first, the other three in any order. Entries with a schedule need kSharedBytes of dynamic
// shared memory (above 48 KiB raise the function's limit) and kThreads threads; the others none, and threads as named.
// Nothing may be launched with an empty grid. No entry uses atomics: results repeat bit for bit.
#pragma once
#include "attention/backward.cuh"
#include "attention/backward_dkdv.cuh"
#include "attention/backward_dq.cuh"
#include "attention/decode.cuh"
#include "attention/forward.cuh"
#include "attention/mask.cuh"
#include "schedules.h"
