// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts with 16-bit weights for 1-8 tokens (experts/line.cuh).
//
// A matrix lies as checkpoints hold it, [inputs, outputs]: two weights of one register are two outputs of one input,
// where a product wants two inputs of one output. A lane loads 8 outputs of 4 inputs, 16 bytes each, straight into
// registers, and two byte permutations a pair turn them round; nothing passes through shared memory.
#pragma once
#include "experts/line.cuh"

namespace maskjit::device {

/// 16 bytes that are read once. Rows of a tile are multiples of 128 bytes, so no more is asked for.
__device__ inline uint4 load_dense(const u16 *from) {
  uint4 x;
#if __CUDA_ARCH__ >= 800
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(from));
#else
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "l"(from));
#endif
  return x;
}

/// The matrices of one product.
template <class S, class T> struct DenseWeights {
  struct Lane {
    uint4 weights[4]; // 8 outputs of 4 inputs
    uint2 inputs;
  };
  const DenseStack &stack;
  __device__ DenseWeights(const DenseStack &stack, int) : stack(stack) {}

  /// `in`, `out`: the warp's first input, the lane's first output; zeros past the borders of the matrix.
  template <class Line> __device__ void load_weights(Lane &to, int expert, int in, int out) const {
    in += lane_index() % 4 * 4;
    const bool exists = in < Line::kIn && out < Line::kOut;
    const u16 *const from =
        static_cast<const u16 *>(stack.weights) + (static_cast<long long>(expert) * Line::kIn + in) * Line::kOut + out;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      to.weights[i] = exists ? load_dense(from + i * Line::kOut) : uint4{0, 0, 0, 0};
  }
  template <class Line> __device__ void load_inputs(Lane &to, const u16 *row, int in) const {
    in += lane_index() % 4 * 4;
    if (in >= Line::kIn)
      to.inputs = {0, 0};
    else
      to.inputs = Line::kByTile ? load_shared_result(reinterpret_cast<const uint2 *>(row + in))
                                : *reinterpret_cast<const uint2 *>(row + in);
  }
  __device__ void multiply(float (&acc)[4][4], const Lane &lane) const {
    const uint4(&w)[4] = lane.weights;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const u32 a = i == 0 ? w[0].x : i == 1 ? w[0].y : i == 2 ? w[0].z : w[0].w;
      const u32 b = i == 0 ? w[1].x : i == 1 ? w[1].y : i == 2 ? w[1].z : w[1].w;
      const u32 c = i == 0 ? w[2].x : i == 1 ? w[2].y : i == 2 ? w[2].z : w[2].w;
      const u32 d = i == 0 ? w[3].x : i == 1 ? w[3].y : i == 2 ? w[3].z : w[3].w;
      mma<typename S::Arch, T>(
          acc[i],
          {__byte_perm(a, b, 0x5410), __byte_perm(a, b, 0x7632), __byte_perm(c, d, 0x5410), __byte_perm(c, d, 0x7632)},
          lane.inputs.x, lane.inputs.y);
    }
  }
};

/// Cooperative launch, as experts_in_line.
template <class S, class T, bool kAdapter = false> __device__ void experts_dense(const ExpertsDenseArgs &a) {
  experts_in_line<S, T, DenseWeights<S, T>, kAdapter>(a);
}

} // namespace maskjit::device
