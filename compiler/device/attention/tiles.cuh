// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles: rows of a tensor in global memory, rows of a tile in shared memory, copies and products between them.
#pragma once
#include "attention/mask.cuh"
#include "attention_args.h"
#include "instructions.cuh"

namespace maskjit::device {

// ---- rows in global memory ----

/// Every row starts at a multiple of 16 bytes.
__device__ inline bool rows_are_aligned(const Tensor &x) {
  const u64 bytes = static_cast<u64>(x.batch_stride | x.head_stride | x.row_stride) * 2 | reinterpret_cast<u64>(x.data);
  return bytes % 16 == 0;
}

/// Rows of kPack heads: row r is position r / kPack of head r % kPack.
template <int kPack> struct PackedRows {
  u16 *base;
  long long row_stride, head_stride;
  bool aligned;
  __device__ PackedRows(const Tensor &x, int batch, int head)
      : base(static_cast<u16 *>(x.data) + batch * x.batch_stride + head * x.head_stride), row_stride(x.row_stride),
        head_stride(x.head_stride), aligned(rows_are_aligned(x)) {}
  __device__ u16 *at(int row) const {
    if constexpr (kPack == 1)
      return base + row * row_stride;
    else
      return base + row / kPack * row_stride + row % kPack * head_stride;
  }
  /// Rows that lie kRows apart are this many elements apart, if kEven.
  template <int kRows> static constexpr bool kEven = kRows % kPack == 0;
  template <int kRows> __device__ long long distance() const { return kRows / kPack * row_stride; }
};

/// Rows of one key head, in place or through the sequence's page table.
struct KeyRows {
  u16 *base;
  long long row_stride, page_stride;
  const int *table; // null: no pages
  int page_shift;
  bool aligned;
  __device__ KeyRows(const Tensor &x, const AttentionArgs &args, int batch, int head)
      : base(static_cast<u16 *>(x.data) + head * x.head_stride + (args.page_table ? 0 : batch * x.batch_stride)),
        row_stride(x.row_stride), page_stride(x.batch_stride),
        table(args.page_table ? args.page_table + batch * args.page_table_stride : nullptr),
        page_shift(args.page_shift), aligned(rows_are_aligned(x)) {}
  template <int kRows> static constexpr bool kEven = false;
  __device__ u16 *at(int row) const {
    if (!table)
      return base + row * row_stride;
    return base + table[row >> page_shift] * page_stride + (row & ((1 << page_shift) - 1)) * row_stride;
  }
};

/// Keys of a sequence that exist.
__device__ inline int key_count(const AttentionArgs &args, int batch) {
  return args.kv_len ? min(max(args.kv_len[batch], 0), args.len_k) : args.len_k;
}

/// Eight elements of a row; `aligned`: at a multiple of 16 bytes.
__device__ inline uint4 read_chunk(const u16 *from, bool aligned) {
  if (aligned)
    return *reinterpret_cast<const uint4 *>(from);
  u32 x[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    x[i] = from[2 * i] | static_cast<u32>(from[2 * i + 1]) << 16;
  return {x[0], x[1], x[2], x[3]};
}
__device__ inline void write_chunk(u16 *to, uint4 x, bool aligned) {
  if (aligned) {
    *reinterpret_cast<uint4 *>(to) = x;
    return;
  }
  const u32 words[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
  for (int i = 0; i < 4; ++i)
    to[2 * i] = static_cast<u16>(words[i]), to[2 * i + 1] = static_cast<u16>(words[i] >> 16);
}

// ---- rows in shared memory ----

/// Rows of kHeadDim 16-bit elements in chunks of 16 bytes. Chunks trade places by row, so that eight rows' chunks of
/// one number, which is what a matrix load reads, lie in different banks.
template <int kHeadDim> struct SharedTile {
  static constexpr int kChunks = kHeadDim / 8, kRowBytes = 2 * kHeadDim;
  u32 base;
  __device__ u32 at(int row, int chunk) const {
    const int swap = kChunks % 8 == 0 ? row & 7 : row >> 1 & 3;
    return base + row * kRowBytes + (chunk ^ swap) * 16;
  }
  __device__ u32 element(int row, int column) const { return at(row, column / 8) + column % 8 * 2; }
};

/// Rows first .. first + kRows - 1 to a tile by kThreads threads; rows outside `exist` become zeros, so that what lies
/// there (NaN too) never meets a product. Complete after copy_wait and a barrier.
template <class Arch, int kHeadDim, int kRows, int kThreads, class Rows>
__device__ void load_tile(SharedTile<kHeadDim> tile, const Rows &rows, int first, Range exist, int thread) {
  constexpr int kChunks = kHeadDim / 8, kAll = kRows * kChunks, kSteps = (kAll + kThreads - 1) / kThreads;
  // Chunks under way at a time where they pass through registers: one where that is the exception.
  constexpr int kBatch = Arch::kAsyncCopy ? 1 : kSteps < 4 ? kSteps : 4;
  constexpr int kUnroll = kSteps < 8       ? kSteps
                          : kHeadDim > 128 ? 2
                                           : 4; // addresses of all steps at once would not fit the registers
  if (Arch::kAsyncCopy && rows.aligned) {
    constexpr int kRowStep = kThreads / kChunks;
    constexpr bool kEven = kThreads % kChunks == 0 && kAll % kThreads == 0 && Rows::template kEven<kRowStep>;
    if constexpr (kEven) { // one address, then additions
      const int row = thread / kChunks, chunk = thread % kChunks;
      const u16 *from = rows.at(first + row) + chunk * 8;
#pragma unroll kUnroll
      for (int step = 0; step < kSteps; ++step, from += rows.template distance<kRowStep>()) {
        const int source = first + row + step * kRowStep;
        const bool exists = source >= exist.begin && source < exist.end;
        copy_async(tile.at(row + step * kRowStep, chunk), exists ? from : rows.base, exists);
      }
    } else {
#pragma unroll kUnroll
      for (int step = 0; step < kSteps; ++step) {
        const int i = step * kThreads + thread, row = i / kChunks, chunk = i % kChunks, source = first + row;
        if (kAll % kThreads != 0 && i >= kAll)
          break;
        const bool exists = source >= exist.begin && source < exist.end;
        copy_async(tile.at(row, chunk), exists ? rows.at(source) + chunk * 8 : rows.base, exists);
      }
    }
    return;
  }
#pragma unroll 1
  for (int start = 0; start < kSteps; start += kBatch) {
    uint4 x[kBatch];
#pragma unroll
    for (int step = 0; step < kBatch; ++step) {
      const int i = (start + step) * kThreads + thread, from = first + i / kChunks;
      x[step] = i < kAll && from >= exist.begin && from < exist.end
                    ? read_chunk(rows.at(from) + i % kChunks * 8, rows.aligned)
                    : uint4{0, 0, 0, 0};
    }
#pragma unroll
    for (int step = 0; step < kBatch; ++step) {
      const int i = (start + step) * kThreads + thread;
      if (i < kAll)
        shared_write(tile.at(i / kChunks, i % kChunks), x[step]);
    }
  }
}

/// A tile to rows first .. of a tensor, as far as `exist` says.
template <int kHeadDim, int kRows, int kThreads, class Rows>
__device__ void store_tile(SharedTile<kHeadDim> tile, const Rows &rows, int first, int end, int thread) {
  constexpr int kChunks = kHeadDim / 8;
  for (int i = thread; i < kRows * kChunks; i += kThreads)
    if (first + i / kChunks < end)
      write_chunk(rows.at(first + i / kChunks) + i % kChunks * 8, shared_read(tile.at(i / kChunks, i % kChunks)),
                  rows.aligned);
}

// ---- products of tiles; accumulators are d[16 rows][8 columns][4], see mma ----

/// The 16 x 16 block at (row, 16 step) as left operand.
template <int kHeadDim> __device__ void load_left(u32 (&a)[4], SharedTile<kHeadDim> tile, int row, int step) {
  load_matrices(a, tile.at(row + lane_index() % 16, 2 * step + lane_index() / 16));
}

/// d += A B^T for one step of 16 along the head dimension; B is the first kColumns rows of `b`.
template <class Arch, class T, int kM, int kColumns, int kHeadDim>
__device__ void multiply_step(float (&d)[kM][kColumns / 8][4], const u32 (&left)[kM][4], SharedTile<kHeadDim> b,
                              int step) {
#pragma unroll
  for (int n = 0; n < kColumns / 16; ++n) {
    u32 right[4];
    load_matrices(right, b.at(16 * n + lane_index() / 16 * 8 + lane_index() % 8, 2 * step + lane_index() / 8 % 2));
#pragma unroll
    for (int m = 0; m < kM; ++m) {
      mma<Arch, T>(d[m][2 * n], left[m], right[0], right[1]);
      mma<Arch, T>(d[m][2 * n + 1], left[m], right[2], right[3]);
    }
  }
}
/// d += A B^T: A is 16 kM rows of `a` from `row` on.
template <class Arch, class T, int kM, int kColumns, int kHeadDim>
__device__ void multiply_transposed(float (&d)[kM][kColumns / 8][4], SharedTile<kHeadDim> a, int row,
                                    SharedTile<kHeadDim> b) {
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    u32 left[kM][4];
#pragma unroll
    for (int m = 0; m < kM; ++m)
      load_left(left[m], a, row + 16 * m, step);
    multiply_step<Arch, T, kM, kColumns>(d, left, b, step);
  }
}
/// The same with A, 16 rows, in registers.
template <class Arch, class T, int kColumns, int kHeadDim>
__device__ void multiply_transposed(float (&d)[1][kColumns / 8][4], const u32 (&a)[kHeadDim / 16][4],
                                    SharedTile<kHeadDim> b) {
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    const u32 left[1][4] = {{a[step][0], a[step][1], a[step][2], a[step][3]}};
    multiply_step<Arch, T, 1, kColumns>(d, left, b, step);
  }
}

/// d += A B: A from registers, kColumns columns of `b` from `column` on, summed over its first kRows rows.
template <class Arch, class T, int kM, int kRows, int kColumns, int kHeadDim>
__device__ void multiply(float (&d)[kM][kColumns / 8][4], const u32 (&a)[kM][kRows / 16][4], SharedTile<kHeadDim> b,
                         int column) {
#pragma unroll
  for (int step = 0; step < kRows / 16; ++step)
#pragma unroll
    for (int n = 0; n < kColumns / 16; ++n) {
      u32 right[4];
      load_matrices_transposed(right, b.at(16 * step + lane_index() % 16, column / 8 + 2 * n + lane_index() / 16));
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        mma<Arch, T>(d[m][2 * n], a[m][step], right[0], right[1]);
        mma<Arch, T>(d[m][2 * n + 1], a[m][step], right[2], right[3]);
      }
    }
}

/// An accumulator, rounded to T, as left operand of the next product.
template <class T, int kM, int kColumns>
__device__ void as_left(u32 (&a)[kM][kColumns / 16][4], const float (&d)[kM][kColumns / 8][4]) {
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int i = 0; i < kColumns / 4; ++i)
      a[m][i / 4][i % 4] = pack<T>(d[m][i / 2][i % 2 * 2], d[m][i / 2][i % 2 * 2 + 1]);
}

/// An accumulator times a factor a row, rounded to T, to rows of a tile.
template <class T, int kM, int kColumns, int kHeadDim>
__device__ void write_tile(SharedTile<kHeadDim> tile, int row, int column, const float (&d)[kM][kColumns / 8][4],
                           const float (&factor)[kM][2]) {
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n)
        shared_write(tile.element(row + 16 * m + lane_index() / 4 + 8 * half, column + 8 * n + lane_index() % 4 * 2),
                     pack<T>(d[m][n][2 * half] * factor[m][half], d[m][n][2 * half + 1] * factor[m][half]));
}

template <int kM, int kColumns> __device__ void clear(float (&d)[kM][kColumns][4]) {
#pragma unroll
  for (int m = 0; m < kM; ++m)
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        d[m][n][i] = 0.f;
}

} // namespace maskjit::device
