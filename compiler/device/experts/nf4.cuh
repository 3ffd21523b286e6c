// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts in NF4 for 1-8 tokens (experts/line.cuh): weights are decoded in registers, bit for bit those that
// dequantizing a matrix gives (nf4.cuh).
//
// A matrix lies as [outputs, inputs], each with its own blocks of 64 inputs. In a round a lane has 16 inputs of one
// block of each of its 8 outputs, 8 bytes, so that four lanes read a block; bytes around it, the next rounds', come to
// the L2 cache with it.
#pragma once
#include "experts/line.cuh"
#include "nf4.cuh"

namespace maskjit::device {

/// 8 bytes that are read once.
__device__ inline uint2 load_codes(const unsigned char *from) {
  uint2 x;
#if __CUDA_ARCH__ >= 800
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from));
#else
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from));
#endif
  return x;
}

/// The matrices of one product.
template <class S, class T> struct Nf4Weights {
  struct Lane {
    uint2 codes[8];  // of an output each
    float absmax[8]; // that of the output's block; where it is quantized itself that of 256 blocks,
    int nested[8];   // with which this entry of the table is multiplied
    float offset;
    uint4 inputs[2];
  };
  const Nf4Matrix &first;
  const bool is_nested;
  const float *nested_table; // in shared memory
  u32 lane_table;

  /// Call with all threads, then synchronise.
  __device__ Nf4Weights(const Nf4Stack &stack, int place) : first(stack.first), is_nested(stack.first.nested_table) {
    extern __shared__ __align__(16) char experts_nf4_memory[];
    float *const nested = reinterpret_cast<float *>(experts_nf4_memory + kNf4TableBytes) + 256 * place;
    if (place == 0)
      Nf4TableFill<S::kThreads>(first.table).store(shared_address(experts_nf4_memory));
    if (is_nested)
      for (int i = threadIdx.x; i < 256; i += S::kThreads)
        nested[i] = first.nested_table[i];
    nested_table = nested, lane_table = nf4_lane_table(shared_address(experts_nf4_memory));
  }

  template <class Line> __device__ void load_weights(Lane &to, int expert, int in, int out) const {
    constexpr int kBlocksIn = Line::kIn / kNf4Block;
    constexpr long long kBlocks = static_cast<long long>(Line::kOut) * kBlocksIn; // of an expert
    // Past the borders of the matrix: the last ones, times zeros or for nobody.
    const int block = min(out, Line::kOut - 8) * kBlocksIn + min(in, Line::kIn - kNf4Block) / kNf4Block;
    const unsigned char *const codes =
        first.codes + (expert * kBlocks + block) * (kNf4Block / 2) + 8 * (lane_index() % 4);
#pragma unroll
    for (int i = 0; i < 8; ++i)
      to.codes[i] = load_codes(codes + i * kBlocksIn * (kNf4Block / 2));
    if (is_nested) {
      const unsigned char *const absmax = static_cast<const unsigned char *>(first.absmax) + expert * kBlocks + block;
      const float *const of_many = first.nested_absmax + expert * experts_nested_blocks(kBlocks * kNf4Block);
#pragma unroll
      for (int i = 0; i < 8; ++i)
        to.nested[i] = absmax[i * kBlocksIn], to.absmax[i] = of_many[(block + i * kBlocksIn) >> 8];
      to.offset = first.nested_offset[expert];
    } else {
      const float *const absmax = static_cast<const float *>(first.absmax) + expert * kBlocks + block;
#pragma unroll
      for (int i = 0; i < 8; ++i)
        to.absmax[i] = absmax[i * kBlocksIn];
    }
  }
  template <class Line> __device__ void load_inputs(Lane &to, const u16 *row, int in) const {
    const uint4 *const from =
        reinterpret_cast<const uint4 *>(row + min(in, Line::kIn - kNf4Block)) + 2 * (lane_index() % 4);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint4 x = Line::kByTile ? load_shared_result(from + i) : from[i];
      to.inputs[i] = in < Line::kIn ? x : make_uint4(0, 0, 0, 0);
    }
  }
  /// As nf4_absmax rounds it.
  __device__ float absmax_of(const Lane &lane, int output) const {
    return is_nested ? __fadd_rn(__fmul_rn(nested_table[lane.nested[output]], lane.absmax[output]), lane.offset)
                     : lane.absmax[output];
  }
  __device__ void multiply(float (&acc)[4][4], const Lane &lane) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float low_absmax = absmax_of(lane, 2 * i), high_absmax = absmax_of(lane, 2 * i + 1);
      const uint2 &a = lane.codes[2 * i], &b = lane.codes[2 * i + 1];
#pragma unroll
      for (int word = 0; word < 2; ++word) {
        const uint4 &x = lane.inputs[word];
        const Nf4Pairs w = nf4_decode<T>(word ? a.y : a.x, lane_table, low_absmax),
                       v = nf4_decode<T>(word ? b.y : b.x, lane_table, high_absmax);
        mma<typename S::Arch, T>(acc[i], {w.p[0], v.p[0], w.p[1], v.p[1]}, x.x, x.y);
        mma<typename S::Arch, T>(acc[i], {w.p[2], v.p[2], w.p[3], v.p[3]}, x.z, x.w);
      }
    }
  }
};

/// Cooperative launch, as experts_in_line.
template <class S, class T, bool kAdapter = false> __device__ void experts_nf4(const ExpertsNf4Args &a) {
  experts_in_line<S, T, Nf4Weights<S, T>, kAdapter>(a);
}

} // namespace maskjit::device
