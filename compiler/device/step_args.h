// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a launcher hands to the kernels of a decode step: plain C++, the same for the host's compiler and for NVRTC.
// Rows are contiguous; 16-bit and fp32 rows start at multiples of 16 bytes. A kernel reads its own block, never
// lengths.
#pragma once
#include "linear_nf4_args.h"
#include "linear_nf4_schedules.h"

namespace maskjit::device {

/// The paged cache of one layer, [pages, heads, page size, D], and where a sequence's pages are.
struct CachePages {
  void *key, *value;
  const int *table;       // position p of sequence b lies in page table[b * table_stride + p / page size]
  long long table_stride; // in entries
  int page_shift;         // log2 of the page size
};

struct EmbedArgs {
  const int *tokens, *written, *active; // [rows]
  const void *table;                    // [vocabulary, features]
  float *out;                           // [rows, features]
  int *positions, *lengths;             // [rows]: written and written + 1, of an empty slot -1 and 0
  void *cleared;                        // [rows, cleared_pieces] of 16 bytes, set to zero: what later kernels wait for
  int cleared_pieces;
  const float *frequencies; // [pairs] of rope
  float *turns;             // [rows, pairs, 2]: cosine and sine of the row's position, times the scale; null: nobody's
  float rope_scale;
  int pairs;
  int rows, features;
};

struct NormArgs {
  const float *input; // [rows, features]
  const void *weight; // [features]
  void *out;          // [rows, features]
  float eps;
  int rows, features;
};

/// Matrices that multiply the same rows, one after the other.
constexpr int kMostMatrices = 3;

/// A low-rank adapter beside them: result m gets b[m] (a[m] x) added.
struct LinearAdapter {
  /// [rank, in]; null: this matrix has none. Of linear_rows_sm90 a[m] x itself, [rows, rank].
  const void *a[kMostMatrices];
  const void *b[kMostMatrices];      // [features, rank], times the adapter's scale
  int first_tile[kMostMatrices + 1]; // tiles of each a, which come before those of the matrices
  void *low; // workspace [rows, kMostMatrices, rank] as linear/adapter.cuh has it: zero before a launch
  int rank;  // a multiple of 16
};
struct LinearArgs {
  const void *input; // [rows, in]
  const void *norm;  // [in]; null: the input is multiplied as it is
  float eps;
  const void *weight[kMostMatrices]; // [features, in]
  const void *bias[kMostMatrices];   // [features]; null: none
  void *out[kMostMatrices];          // [rows, features]; null where the result goes to the cache
  int first_tile[kMostMatrices + 1]; // tiles of each matrix: first_tile[m] .. first_tile[m + 1]
  const float *residual;             // [rows, features], added to out[0]; null: none
  const int *positions;              // [rows], below 0: an empty slot; read where rope or cache need it
  const float *frequencies;          // [D / 2]
  float rope_scale;
  const float *turns;        // [rows, D / 2, 2] as the embedding has left them, for kernels that take them from there
  int rotate[kMostMatrices]; // which results are turned
  CachePages cache;          // of the last two results; key null: none
  LinearAdapter adapter;     // read by kernels that are made for one
  int rows;
};

/// The same over NF4 matrices, whose codes stand in the place of `weight`; all have one table of 16 values.
struct LinearNf4StepArgs {
  LinearArgs linear;
  Nf4Matrix matrix[kMostMatrices];
};

struct RopeArgs {
  const void *input; // [rows, heads * D]
  const int *positions;
  const float *frequencies;
  void *out;
  float scale;
  int rows, features, head_dim;
};

struct AppendArgs {
  const void *key, *value; // [rows, heads * D]
  const int *positions;
  CachePages cache;
  int rows, heads, head_dim;
};

struct AddArgs {
  const float *residual; // [rows, features]
  const void *addend;    // [rows, features]
  float *out;
  int rows, features;
};

struct RouteArgs {
  const float *input; // [rows, features]
  const void *norm;   // [features]; null: the input is routed as it is
  float eps;
  const void *weight, *bias; // [experts, features], [experts]
  const int *positions;      // [rows]
  int *experts;              // [rows, top]
  float *scores;             // [rows, top]
  void *normal;              // [rows, features], where there is a norm
  int rows;
};

/// Filters of a draw, as model/Sampling.h names them.
struct SampleFilters {
  float temperature; // 0: greedy
  int top_k;         // 0: all
  float top_p, min_p;
  float repetition_penalty; // 1: none
  unsigned long long seed;
};
/// Blocks a row at most; a launch has gridDim.x.
constexpr int kSampleParts = 32;
/// What a block found in its part of a row's tokens: the largest score, the token that has it, and the mass of all
/// relative to it; of the logits without penalty the largest and the mass likewise.
struct SamplePart {
  float top, plain_top;
  int number;
  double mass, plain_mass;
};
/// What the blocks of a row share while they search it: zero before the first launch ever, left zero by every launch.
constexpr int kSearchBins = 2048, kSearchHistograms = 3;
struct SampleHistogram {
  unsigned long long masses[kSearchBins];
  unsigned counts[kSearchBins];
};
struct SampleSearch {
  SampleHistogram histograms[kSearchHistograms];
  unsigned long long kept; // mass of what min-p leaves
  unsigned arrived, left;  // blocks of the row
  unsigned tickets;        // of the first row alone: blocks of the launch that have begun
};
struct SampleArgs {
  const float *logits; // [rows, vocabulary]
  const int *positions;
  const long long *sequences;
  int *tokens, *written;
  unsigned char *seen; // [rows, vocabulary]; null: none
  int *drawn;
  float *log_probs;
  SamplePart *parts;    // workspace [rows, kSampleParts]
  unsigned *finished;   // workspace [rows]: zero before the first launch ever, left zero by every launch
  SampleSearch *search; // workspace [rows], only with top-k, top-p or min-p: blocks of a row then wait for each other
  SampleFilters filters;
  int rows, vocabulary;
};

/// Threads of the kernels that have no schedule.
constexpr int kRowThreads = 256, kRouterThreads = 1024, kSampleThreads = 1024;

/// Bytes of shared memory of linear_rows: sums of the warps, twice where that is little, and sums of squares.
constexpr int linear_stride(int groups) { return 8 * groups + 4; } // 8 features of 4 rows lie in 32 banks
constexpr int linear_sums(int tiles, int groups) { return 16 * tiles * linear_stride(groups); }
constexpr int linear_buffers(int warps, int tiles, int groups) {
  return 2 * 4 * warps * linear_sums(tiles, groups) <= 24 * 1024 ? 2 : 1;
}
constexpr int linear_shared_bytes(int warps, int tiles, int groups) {
  return 4 * warps * (linear_buffers(warps, tiles, groups) * linear_sums(tiles, groups) + 8 * groups);
}
/// Bytes of shared memory of linear_nf4_fused: tables, sums and squares.
constexpr int linear_nf4_fused_bytes(int warps, int groups) {
  return kNf4TableBytes + 256 * 4 * kMostMatrices + linear_shared_bytes(warps, 1, groups);
}
/// The same of input that stays in shared memory.
constexpr int linear_kept_bytes(int in, int warps, int groups) {
  return (in + 32 * warps - 1) / (32 * warps) * groups * 32 * warps * 16;
}
/// Parts of the features and experts of a warp of route_rows.
constexpr int kRouterParts = 4, kRouterExperts = 4;
/// And its bytes of shared memory: the row in fp32, logits of each part, a float a warp.
constexpr int route_shared_bytes(int features, int experts) {
  return 4 * (features + kRouterParts * experts + kRouterThreads / 32);
}

} // namespace maskjit::device
