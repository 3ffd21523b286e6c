// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NF4 (bitsandbytes) to bf16 or fp16 in registers, bit for bit what dequantizing the matrix gives: T(table[code] *
// absmax). Sixteen arbitrary values admit no bit trick: a byte, two weights, indexes a table of pairs in shared memory,
// of which every lane of half a warp has a copy in its own banks, so that loads never conflict.
#pragma once
#include "instructions.cuh"
#include "linear_nf4_args.h"
#include "linear_nf4_schedules.h"

namespace maskjit::device {

/// Call with all threads, then synchronise.
__device__ inline void nf4_fill_table(u32 shared, const float *table) {
  for (int i = threadIdx.x; i < 256 * kNf4Copies; i += blockDim.x)
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(shared + i * 8), "f"(table[i / kNf4Copies >> 4]),
                 "f"(table[i / kNf4Copies & 15])
                 : "memory");
}
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

/// Two weights from byte `i` of `codes`, the even one in the low half.
template <class T, int i> __device__ u32 nf4_pair(u32 codes, u32 lane_table, float absmax) {
  float a, b;
  const u32 offset = i == 0 ? codes << 7 & 0x7F80u : codes >> (8 * i - 7) & 0x7F80u;
  asm("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(a), "=f"(b) : "r"(lane_table + offset));
  return pack<T>(__fmul_rn(a, absmax), __fmul_rn(b, absmax));
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
