// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Left operands of wgmma from a stage's NF4 codes: the weight's rows, or of a gradient its columns. Both give
// the weights of a dequantized matrix bit for bit.
#pragma once
#include "hopper.cuh"
#include "nf4.cuh"

namespace maskjit::device {

/// A block of 64 input features of a warp's 16 rows. Codes [features][32 bytes], chunk c of 16 at c ^ (row / 4 % 2). Of
/// every 16 features a lane needs the pairs t and t + 4: byte t of two words, so the four lanes of a row read the same
/// 16 bytes at once and shift by 8 t.
template <class S> struct Nf4Rows {
  const LinearNf4Args &args;
  u32 lane_table, offset[2][2], shift; // offset[half][low or high row]
  int low_block, high_block;           // 2^31 blocks are 2^37 weights
  float low[2], high[2];               // absmax of two steps

  __device__ Nf4Rows(const LinearNf4Args &args, u32 table, int first_feature) : args(args) {
    const int lane = lane_index(), row = warp_index() * 16 + lane / 4;
    lane_table = nf4_lane_table(table), shift = lane % 4 * 8;
    low_block = min(first_feature + row, args.features - 1) * S::kSteps;
    high_block = min(first_feature + row + 8, args.features - 1) * S::kSteps;
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int high = 0; high < 2; ++high)
        offset[half][high] = (row + 8 * high) * 32 + (half ^ (row >> 2 & 1)) * 16;
  }
  __device__ void fetch(int which, int step) {
    low[which] = nf4_absmax<S::kNested>(args.weight, low_block + min(step, S::kSteps - 1));
    high[which] = nf4_absmax<S::kNested>(args.weight, high_block + min(step, S::kSteps - 1));
  }
  template <class T> __device__ void decode(u32 (&to)[4][4], u32 codes, int which) const {
    const uint4 words[2][2] = {{shared_read(codes + offset[0][0]), shared_read(codes + offset[0][1])},
                               {shared_read(codes + offset[1][0]), shared_read(codes + offset[1][1])}};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 &l = words[half][0], &h = words[half][1];
      const u32 bytes[8] = {l.x >> shift, h.x >> shift, l.y >> shift, h.y >> shift,
                            l.z >> shift, h.z >> shift, l.w >> shift, h.w >> shift};
      float2 x[8];
#pragma unroll
      for (int i = 0; i < 8; ++i)
        x[i] = nf4_lookup(nf4_byte<0>(bytes[i]), lane_table);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float absmax = i % 2 ? high[which] : low[which];
        to[2 * half + i / 4][i % 4] = pack<T>(__fmul_rn(x[i].x, absmax), __fmul_rn(x[i].y, absmax));
      }
    }
  }
  /// Where sums of rows g and g + 8 of a warp's operand go, among the block's features.
  static __device__ int low_feature() { return warp_index() * 16 + lane_index() / 4; }
  static __device__ int high_feature() { return low_feature() + 8; }
};

/// 64 rows of the weight and a warp's 16 columns: rows of the operand are columns, g an even one and g + 8 its odd
/// neighbour, which share a byte. Codes [64][64 bytes], chunk c of 16 at c ^ (row / 2 % 4). Absmax differs from row to
/// row: a lane reads those of rows `lane` and `lane` + 32, and hands them round.
template <class S> struct Nf4Columns {
  const LinearNf4Args &args;
  u32 lane_table, offset;
  int column_block, blocks_of_row;
  float absmax[2][2]; // of two steps

  __device__ Nf4Columns(const LinearNf4Args &args, u32 table, int first_column) : args(args) {
    const int lane = lane_index(), t = lane % 4, byte = warp_index() * 8 + lane / 4;
    lane_table = nf4_lane_table(table), blocks_of_row = args.features / kNf4Block;
    column_block = min(first_column / kNf4Block + warpgroup_index(), blocks_of_row - 1);
    offset = 2 * t * 64 + ((byte >> 4) ^ t) * 16 + (byte & 15);
  }
  __device__ void fetch(int which, int step) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = min(step * kNf4Block + 32 * i + lane_index(), S::kIn - 1);
      absmax[which][i] = nf4_absmax<S::kNested>(args.weight, row * blocks_of_row + column_block);
    }
  }
  template <class T> __device__ void decode(u32 (&to)[4][4], u32 codes, int which) const {
    const int t = lane_index() % 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      u32 bytes[8]; // of rows 16 k + 2 t + (0, 1, 8, 9) for two k
      float2 x[8];
#pragma unroll
      for (int i = 0; i < 8; ++i)
        asm volatile("ld.shared.u8 %0, [%1];" : "=r"(bytes[i]) : "r"(codes + offset + row(half, i) * 64) : "memory");
#pragma unroll
      for (int i = 0; i < 8; ++i)
        x[i] = nf4_lookup(bytes[i], lane_table);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float scale = __shfl_sync(~0u, absmax[which][half], row(0, i) + 2 * t);
        x[i].x = __fmul_rn(x[i].x, scale), x[i].y = __fmul_rn(x[i].y, scale);
      }
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        u32(&a)[4] = to[2 * half + k];
        const float2 *const v = x + 4 * k;
        a[0] = pack<T>(v[0].x, v[1].x), a[1] = pack<T>(v[0].y, v[1].y);
        a[2] = pack<T>(v[2].x, v[3].x), a[3] = pack<T>(v[2].y, v[3].y);
      }
    }
  }
  static __device__ constexpr int row(int half, int i) { return 32 * half + i / 4 * 16 + i % 2 + i / 2 % 2 * 8; }
  static __device__ int low_feature() { return warp_index() * 16 + lane_index() / 4 * 2; }
  static __device__ int high_feature() { return low_feature() + 1; }
};

template <bool kGradient> struct Nf4Operand {
  template <class S> using Of = Nf4Rows<S>;
};
template <> struct Nf4Operand<true> {
  template <class S> using Of = Nf4Columns<S>;
};

} // namespace maskjit::device
