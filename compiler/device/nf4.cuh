// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NF4 (bitsandbytes) to bf16 or fp16 in registers, bit for bit what dequantizing the matrix gives: T(table[code] *
// absmax). Sixteen arbitrary values admit no bit trick: a byte, two weights, indexes a table of pairs in shared memory,
// of which every lane of half a warp has a copy in its own banks, so that loads never conflict.
#pragma once
#include "instructions.cuh"
#include "linear_nf4_args.h"
#include "linear_nf4_schedules.h"

namespace maskjit::device {

/// What a thread writes of the table, a part of it read early: memory answers in the order of asking. A piece is two
/// copies of a pair; 8 lanes write a byte's copies.
template <int kThreads> struct Nf4TableFill {
  static constexpr int kPieces = 256 * kNf4Copies / 2, kEach = (kPieces + kThreads - 1) / kThreads;
  static constexpr int kPart = kEach < 5 ? kEach : 5;
  const float *table;
  float first[kPart], second[kPart];

  __device__ void read(int part) {
#pragma unroll
    for (int k = 0; k < kPart; ++k) {
      const int byte = ((part * kPart + k) * kThreads + threadIdx.x) / (kNf4Copies / 2) & 255;
      first[k] = table[byte >> 4], second[k] = table[byte & 15];
    }
  }
  __device__ explicit Nf4TableFill(const float *table) : table(table) { read(0); }
  /// All threads, then synchronise.
  __device__ void store(u32 shared) {
#pragma unroll 1
    for (int part = 0;;) {
#pragma unroll
      for (int k = 0; k < kPart; ++k)
        if (const int i = (part * kPart + k) * kThreads + threadIdx.x; i < kPieces)
          asm volatile("st.shared.v4.f32 [%0], {%1, %2, %1, %2};" ::"r"(shared + i * 16), "f"(first[k]), "f"(second[k])
                       : "memory");
      if (++part * kPart >= kEach)
        break;
      read(part);
    }
  }
};
__device__ inline u32 nf4_lane_table(u32 shared) { return shared + lane_index() % kNf4Copies * 8; }

/// The absmax of block `block`. Double quantization in bitsandbytes' rounding: product, then sum, each to fp32.
template <bool kNested> __device__ float nf4_absmax(const Nf4Matrix &m, long long block) {
  if constexpr (!kNested)
    return static_cast<const float *>(m.absmax)[block];
  return __fadd_rn(
      __fmul_rn(m.nested_table[static_cast<const unsigned char *>(m.absmax)[block]], m.nested_absmax[block >> 8]),
      *m.nested_offset);
}

/// The same in two halves, what is read early and what is done with it later. `nested_table` lies in shared memory.
template <bool kNested> struct Nf4Absmax {
  float value;
  int code;
  __device__ void load(const Nf4Matrix &m, long long block) {
    value = kNested ? m.nested_absmax[block >> 8] : static_cast<const float *>(m.absmax)[block];
    code = kNested ? static_cast<const unsigned char *>(m.absmax)[block] : 0;
  }
  __device__ float get(const float *nested_table, float offset) const {
    return kNested ? __fadd_rn(__fmul_rn(nested_table[code], value), offset) : value;
  }
};

/// The values of a byte of codes, the even weight's first, before their scale.
__device__ inline float2 nf4_lookup(u32 byte, u32 lane_table) {
  float2 x;
  asm("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(lane_table + (byte << 7)));
  return x;
}
/// Byte i of a word, in one instruction; its address in the table is made by another.
template <int i> __device__ u32 nf4_byte(u32 word) {
  u32 byte;
  asm("prmt.b32 %0, %1, 0, %2;" : "=r"(byte) : "r"(word), "n"(0x4440 + i));
  return byte;
}
/// Two weights from byte `i` of `codes`, the even one in the low half.
template <class T, int i> __device__ u32 nf4_pair(u32 codes, u32 lane_table, float absmax) {
  const float2 x = nf4_lookup(nf4_byte<i>(codes), lane_table);
  return pack<T>(__fmul_rn(x.x, absmax), __fmul_rn(x.y, absmax));
}

struct Nf4Pairs {
  u32 p[4]; // p[i] = weights 2i (bits 15..0) and 2i + 1 (bits 31..16)
};

/// Eight weights, four bytes of codes. `lane_table` is the shared address of the lane's column of the table.
template <class T> __device__ Nf4Pairs nf4_decode(u32 codes, u32 lane_table, float absmax) {
  return {nf4_pair<T, 0>(codes, lane_table, absmax), nf4_pair<T, 1>(codes, lane_table, absmax),
          nf4_pair<T, 2>(codes, lane_table, absmax), nf4_pair<T, 3>(codes, lane_table, absmax)};
}

} // namespace maskjit::device
