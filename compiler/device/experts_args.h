// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a launcher hands to the kernels of a mixture of experts: plain C++, the same for the host and for NVRTC.
#pragma once
#include "linear_nf4_args.h"

namespace maskjit::device {

/// One matrix an expert in MXFP4, in the layout of released checkpoints. Value = E2M1 nibble * 2^(scale - 127), the low
/// nibble first. Scale bytes are at most 128 (weights up to 12): the kernels' decoding is exact up to there.
struct Mxfp4Stack {
  const unsigned char *blocks; // [experts, rows, columns / 32, 16], 16-byte aligned
  const unsigned char *scales; // [experts, rows, columns / 32], 16-byte aligned
  const void *bias;            // [experts, rows] of the activations' type
};

/// A low-rank adapter of one matrix an expert, W + b a, with the adapter's scale in b. Of the activations' type.
struct ExpertsAdapter {
  const void *a; // [experts, rank, columns], 16-byte aligned; null: none
  const void *b; // [experts, rows, rank], 16-byte aligned
  void *low; // workspace [pairs, rank]: a x as linear/adapter.cuh has it, by pair; of many tokens' second product by sorted
             // pair. Few tokens: the first product's is zero before the first launch ever, left zero by every launch
};

/// Tokens of one expert: rows first .. first + count of the sorted pairs.
struct ExpertTile {
  int expert, first, count, unused;
};
/// Written by the kernel that sorts, read by the products: no count ever goes to the host.
struct ExpertPlan {
  int tiles;
  int padding[3];
  ExpertTile tile[1]; // at most experts_tiles(...)
};

/// One call: out [tokens, hidden] (+)= sum over the chosen experts e of weight * down_e(swiglu(gate_up_e(x))), with
/// swiglu(g, u) = g sigmoid(alpha g) (u + 1), g = min(gate, limit), u = clamp(up, -limit, limit); gate in even rows of
/// gate_up, up in odd ones. A pair is a token and one of its slots: number token * top_k + slot.
struct ExpertsArgs {
  const void *x;        // [tokens, hidden], 16-byte aligned
  Mxfp4Stack gate_up;   // 2 * intermediate rows of hidden
  Mxfp4Stack down;      // hidden rows of intermediate
  const int *experts;   // [tokens, top_k], distinct within a token; below 0: nothing, as for an empty slot of a batch
  const float *weights; // [tokens, top_k]
  float *out;           // [tokens, hidden], 16-byte aligned
  int tokens, expert_count;
  int accumulate; // 1: out +=, 0: out =
  float alpha, limit;
  ExpertsAdapter gate_up_adapter, down_adapter;
  int adapter_rank; // a multiple of 16

  // ---- workspace, 16-byte aligned ----
  void *h;           // [pairs, intermediate] of the activations' type
  unsigned *barrier; // few tokens: a word of two, zero before the first launch ever, left ready for the next
  ExpertPlan *plan;  // the others: many tokens
  int *sorted;       // [pairs] pairs by expert
  void *x_pairs;     // [tokens, hidden], x in pair order (fourbit.cuh)
  void *y;           // [pairs, hidden]
};

/// One matrix an expert in 16 bits, as checkpoints without quantization hold it: inputs outside, outputs inside.
struct DenseStack {
  const void *weights; // [experts, columns, rows], 16-byte aligned
  const void *bias;    // [experts, rows]
};

/// One matrix an expert in NF4, each quantized by itself over its flattened values: what Nf4Matrix points to is the
/// first expert's, the others' follow: codes [experts, rows, columns / 2], absmax [experts, rows * columns / 64],
/// nested_absmax [experts, experts_nested_blocks(rows * columns)], nested_offset [experts]. The tables are those of
/// all.
struct Nf4Stack {
  Nf4Matrix first;
  const void *bias; // [experts, rows]
};
constexpr long long experts_nested_blocks(long long weights) { return (weights / 64 + 255) / 256; }

/// The same call as ExpertsArgs' on matrices of either kind, for up to 8 tokens.
template <class Stack> struct ExpertsLineArgs {
  const void *x;       // [tokens, hidden], 16-byte aligned
  Stack gate_up, down; // rows as ExpertsArgs'
  const int *experts;
  const float *weights;
  float *out;
  int tokens, accumulate;
  float alpha, limit;
  ExpertsAdapter gate_up_adapter, down_adapter; // as ExpertsArgs'
  int adapter_rank;

  // ---- workspace, 16-byte aligned ----
  void *h;           // [pairs, intermediate]
  unsigned *barrier; // experts_dense_words, zero before the first launch ever, left ready for the next
  void *shares;      // experts_dense_share_bytes: sums over a part of the features, of tiles that blocks share
};
using ExpertsDenseArgs = ExpertsLineArgs<DenseStack>;
using ExpertsNf4Args = ExpertsLineArgs<Nf4Stack>;

/// One product of training: y[p] = matrix of expert p times x[p / per_row], plus the bias. Its gradient, in the same
/// block: y[p] = x[p / per_row] times the matrix itself, the sum running over its rows; no bias.
struct ExpertsLinearArgs {
  const void *x;      // [pairs / per_row, columns]; the gradient's: [.., rows]; 16-byte aligned
  Mxfp4Stack matrix;  // [experts, rows, columns]; bias may be null
  const int *experts; // [pairs]; below 0: y[p] is left as it is
  void *y;            // [pairs, rows]; the gradient's: [pairs, columns]
  int pairs, expert_count, per_row;
  ExpertPlan *plan; // workspace, as above
  int *sorted;      // [pairs]
  void *x_pairs;    // as x, in pair order; the gradient needs none
};

constexpr int kMostExperts = 128;
constexpr int kMostExpertsRank = 128; // of an adapter: each warp that shares a tile has one slice
/// Tiles of at most `tile_tokens` that `pairs` can fill: the grid that serves every routing.
constexpr int experts_tiles(int pairs, int experts, int tile_tokens) {
  return pairs / tile_tokens + (experts < pairs ? experts : pairs);
}
constexpr long long experts_plan_bytes(int tiles) { return 16 + 16LL * tiles; }

} // namespace maskjit::device
