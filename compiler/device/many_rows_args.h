// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a launcher hands to the kernels of many rows: plain C++, the same for the host's compiler and for NVRTC. All
// memory starts at multiples of 16 bytes, rows are contiguous.
#pragma once

namespace maskjit::device {

struct ResidualNormArgs {
  float *residual;          // [rows, features]; changed where there is an addend
  const void *addend;       // [rows, features] of the kernel's type; null: none
  const float *wide_addend; // [rows, features]; null: none
  const void *weight;       // [features]
  void *out;                // [rows, features] of the kernel's type; null: not wanted
  float *wide_out;          // [rows, features]; null: not wanted
  float *scale;             // [rows], 1 / sqrt(mean(x^2) + eps), for the gradient; null: not wanted
  float eps;
};

/// Two tensors of heads that are turned by the same angles, as queries and keys are.
struct TurnArgs {
  void *x[2];                   // [rows, heads, D], changed in place
  int heads[2];                 // the second may have none
  const float *cosines, *sines; // [rows, D / 2]
  int rows;
};

constexpr int kManyRowsThreads = 256;
constexpr int kMostFeatures = 8192; // a row stays in the registers of a block

} // namespace maskjit::device
