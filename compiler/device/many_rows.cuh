// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations between the products of a layer when there are many rows; what bounds them is reading and writing each row
// once. Compiled by NVRTC for every architecture. Products are rounded before they are added, as separate operations of
// a tensor library would do, so that the same numbers come out.
#pragma once
#include "many_rows_args.h"
#include "step/rows.cuh"

namespace maskjit::device {

/// Four numbers of T, 8 bytes.
template <class T> __device__ float4 load_four(const void *data, long long index) {
  const uint2 x = *reinterpret_cast<const uint2 *>(static_cast<const u16 *>(data) + index);
  return {low_half<T>(x.x), high_half<T>(x.x), low_half<T>(x.y), high_half<T>(x.y)};
}

/// residual += addend; out = residual * scale * weight. A block a row, which stays in registers. Grid: rows.
template <class T, int kFeatures> __device__ void residual_norm(const ResidualNormArgs &args) {
  constexpr int kFours = kFeatures / 4, kEach = (kFours + kManyRowsThreads - 1) / kManyRowsThreads;
  static_assert(kFeatures % 4 == 0 && kFeatures <= kMostFeatures);
  __shared__ float sums[kManyRowsThreads / kWarp];
  const long long row = static_cast<long long>(blockIdx.x) * kFeatures;
  float4 x[kEach];
  float4 squares = {0.f, 0.f, 0.f, 0.f};
  const auto add_square = [](float sum, float value) { return __fadd_rn(sum, __fmul_rn(value, value)); };
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int four = i * kManyRowsThreads + static_cast<int>(threadIdx.x);
    if (four >= kFours)
      continue;
    const long long at = row + 4 * four;
    x[i] = *reinterpret_cast<const float4 *>(args.residual + at);
    if (args.addend || args.wide_addend) {
      const float4 y =
          args.addend ? load_four<T>(args.addend, at) : *reinterpret_cast<const float4 *>(args.wide_addend + at);
      x[i] = {x[i].x + y.x, x[i].y + y.y, x[i].z + y.z, x[i].w + y.w};
      *reinterpret_cast<float4 *>(args.residual + at) = x[i];
    }
    squares = {add_square(squares.x, x[i].x), add_square(squares.y, x[i].y), add_square(squares.z, x[i].z),
               add_square(squares.w, x[i].w)};
  }
  const float square = squares.x + squares.y + squares.z + squares.w;
  const float mean = __fmul_rn(block_sum<kManyRowsThreads>(square, sums), 1.f / kFeatures);
  const float scale = rsqrtf(mean + args.eps);
  if (args.scale && threadIdx.x == 0)
    args.scale[blockIdx.x] = scale;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int four = i * kManyRowsThreads + static_cast<int>(threadIdx.x);
    if (four >= kFours)
      continue;
    const long long at = row + 4 * four;
    const float4 w = load_four<T>(args.weight, 4 * four);
    const float4 y = {x[i].x * scale * w.x, x[i].y * scale * w.y, x[i].z * scale * w.z, x[i].w * scale * w.w};
    if (args.wide_out)
      *reinterpret_cast<float4 *>(args.wide_out + at) = y;
    if (args.out)
      *reinterpret_cast<uint2 *>(static_cast<u16 *>(args.out) + at) = {pack<T>(y.x, y.y), pack<T>(y.z, y.w)};
  }
}

/// (a, b) -> (a cos - b sin, b cos + a sin) of features i and i + D / 2. A thread has eight pairs. Grid: any.
template <class T, int kHead> __device__ void turn(const TurnArgs &args) {
  constexpr int kHalf = kHead / 2, kEights = kHalf / 8;
  static_assert(kHead % 16 == 0);
  const int heads = args.heads[0] + args.heads[1];
  const long long all = static_cast<long long>(args.rows) * heads * kEights;
  for (long long item = static_cast<long long>(blockIdx.x) * kManyRowsThreads + threadIdx.x; item < all;
       item += static_cast<long long>(gridDim.x) * kManyRowsThreads) {
    const int first = static_cast<int>(item % kEights) * 8, head = static_cast<int>(item / kEights % heads);
    const long long row = item / kEights / heads;
    const int which = head >= args.heads[0];
    const long long at = (row * args.heads[which] + head - which * args.heads[0]) * kHead + first;
    u16 *const pairs = static_cast<u16 *>(args.x[which]) + at;
    const uint4 low = *reinterpret_cast<const uint4 *>(pairs), high = *reinterpret_cast<const uint4 *>(pairs + kHalf);
    const u32 a[4] = {low.x, low.y, low.z, low.w}, b[4] = {high.x, high.y, high.z, high.w};
    const float *const cosines = args.cosines + row * kHalf + first, *const sines = args.sines + row * kHalf + first;
    u32 turned[2][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 c = *reinterpret_cast<const float2 *>(cosines + 2 * i),
                   s = *reinterpret_cast<const float2 *>(sines + 2 * i);
      const float2 x = {low_half<T>(a[i]), high_half<T>(a[i])}, y = {low_half<T>(b[i]), high_half<T>(b[i])};
      turned[0][i] = pack<T>(__fsub_rn(__fmul_rn(x.x, c.x), __fmul_rn(y.x, s.x)),
                             __fsub_rn(__fmul_rn(x.y, c.y), __fmul_rn(y.y, s.y)));
      turned[1][i] = pack<T>(__fadd_rn(__fmul_rn(y.x, c.x), __fmul_rn(x.x, s.x)),
                             __fadd_rn(__fmul_rn(y.y, c.y), __fmul_rn(x.y, s.y)));
    }
    *reinterpret_cast<uint4 *>(pairs) = {turned[0][0], turned[0][1], turned[0][2], turned[0][3]};
    *reinterpret_cast<uint4 *>(pairs + kHalf) = {turned[1][0], turned[1][1], turned[1][2], turned[1][3]};
  }
}

} // namespace maskjit::device
