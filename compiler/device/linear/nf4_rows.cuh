// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of few rows with an NF4 matrix: of one row at about half the speed of reading its codes.
//
// A block owns 16 features; its warps take blocks of 64 input features in turn, so that together they read a
// row's codes in one stretch. Weights are decoded into the left operand of mma m16n8k16; the order of the summed
// features is free as long as both operands agree: lane (g, t) takes 16 consecutive ones of matrix rows g and g + 8 and
// of input row g. Codes go straight from global memory to registers, kAhead blocks before they are used. Sums of the
// warps are added in ascending order: a row's result does not depend on the others.
#pragma once
#include "dependents.cuh"
#include "nf4.cuh"

namespace maskjit::device {

template <class S, class T> __device__ void linear_nf4_rows(const LinearNf4Args &args) {
  constexpr int kGroups = S::kGroups, kIn = S::kIn, kSums = S::kFeatures * S::kRows;
  extern __shared__ __align__(16) float nf4_shared[];
  float *const nested_table = nf4_shared + kNf4TableBytes / 4, *const partial =
                                                                   nested_table + 256; // [warps][features][rows]
  const int warp = warp_index(), lane = lane_index(), g = lane / 4, t = lane % 4;
  const int first_feature = blockIdx.x * S::kFeatures, first_row = blockIdx.y * S::kRows;
  const u32 lane_table = nf4_lane_table(shared_address(nf4_shared));

  struct Codes {
    uint2 word[2]; // of matrix rows g and g + 8
    Nf4Absmax<S::kNested> absmax[2];
  } ahead[S::kAhead];
  // Blocks of rows g and g + 8 that the warp starts with: 2^31 blocks are 2^37 weights.
  const int first_block[2] = {min(first_feature + g, args.features - 1) * S::kBlocksIn + warp,
                              min(first_feature + 8 + g, args.features - 1) * S::kBlocksIn + warp};
  const unsigned char *const first_codes[2] = {
      args.weight.codes + static_cast<long long>(first_block[0]) * (kNf4Block / 2) + 8 * t,
      args.weight.codes + static_cast<long long>(first_block[1]) * (kNf4Block / 2) + 8 * t};
  auto load = [&](Codes &to, int step) {
    const int ahead = S::kWhole ? step * S::kWarps : min(step * S::kWarps, S::kBlocksIn - 1 - warp);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      to.word[half] = *reinterpret_cast<const uint2 *>(first_codes[half] + ahead * (kNf4Block / 2));
      to.absmax[half].load(args.weight, first_block[half] + ahead);
    }
  };
  start_dependents();
#pragma unroll
  for (int step = 0; step < S::kAhead; ++step)
    load(ahead[step], step);
  Nf4TableFill<S::kThreads>(args.weight.table).store(shared_address(nf4_shared));
  if (S::kNested)
    for (int i = threadIdx.x; i < 256; i += S::kThreads)
      nested_table[i] = args.weight.nested_table[i];
  const float offset = S::kNested ? *args.weight.nested_offset : 0.f;
  wait_for_earlier();
  __syncthreads();

  float sums[kGroups][4] = {};
#pragma unroll
  for (int step = 0; step < S::kSteps; ++step) {
    const int block = step * S::kWarps + warp;
    Codes &codes = ahead[step % S::kAhead];
    u32 x[kGroups][8];
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int row = min(first_row + 8 * group + g, args.rows - 1);
      const uint4 *const from =
          reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.input) + static_cast<long long>(row) * kIn +
                                          16 * t + (S::kWhole ? block : min(block, S::kBlocksIn - 1)) * kNf4Block);
      const uint4 a = from[0], b = from[1];
      x[group][0] = a.x, x[group][1] = a.y, x[group][2] = a.z, x[group][3] = a.w;
      x[group][4] = b.x, x[group][5] = b.y, x[group][6] = b.z, x[group][7] = b.w;
    }
    if (S::kWhole || block < S::kBlocksIn) // the same for the whole warp
#pragma unroll
      for (int word = 0; word < 2; ++word) {
        const float low_absmax = codes.absmax[0].get(nested_table, offset);
        const float high_absmax = codes.absmax[1].get(nested_table, offset);
        const uint2 &low = codes.word[0], &high = codes.word[1];
        const Nf4Pairs w = nf4_decode<T>(word ? low.y : low.x, lane_table, low_absmax);
        const Nf4Pairs v = nf4_decode<T>(word ? high.y : high.x, lane_table, high_absmax);
#pragma unroll
        for (int group = 0; group < kGroups; ++group) {
          mma<typename S::Arch, T>(sums[group], {w.p[0], v.p[0], w.p[1], v.p[1]}, x[group][4 * word],
                                   x[group][4 * word + 1]);
          mma<typename S::Arch, T>(sums[group], {w.p[2], v.p[2], w.p[3], v.p[3]}, x[group][4 * word + 2],
                                   x[group][4 * word + 3]);
        }
      }
    if (step + S::kAhead < S::kSteps)
      load(codes, step + S::kAhead);
  }

#pragma unroll
  for (int group = 0; group < kGroups; ++group)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<float2 *>(partial + warp * kSums + (8 * half + g) * S::kRows + 8 * group +
                                  2 * t) = {sums[group][2 * half], sums[group][2 * half + 1]};
  __syncthreads();
  for (int i = threadIdx.x; i < kSums; i += S::kThreads) {
    const int feature = first_feature + i % S::kFeatures, row = first_row + i / S::kFeatures;
    if (row >= args.rows || feature >= args.features)
      continue;
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < S::kWarps; ++w)
      sum += partial[w * kSums + i % S::kFeatures * S::kRows + i / S::kFeatures];
    if (args.bias)
      sum += low_half<T>(static_cast<const u16 *>(args.bias)[feature]);
    static_cast<u16 *>(args.out)[static_cast<long long>(row) * args.features + feature] =
        static_cast<u16>(pack<T>(sum, 0.f));
  }
}

} // namespace maskjit::device
