// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a launcher hands to the NF4 linear kernels: plain C++, the same for the host's compiler and for NVRTC.
#pragma once

namespace maskjit::device {

/// A matrix [features, in] as bitsandbytes stores it: blocks of 64 weights in row-major order, `in` a multiple of 64.
struct Nf4Matrix {
  const unsigned char *codes; // [features, in / 2], the even feature in the high nibble
  const float *table;         // [16]
  const void *absmax;         // [features * in / 64]: fp32, or codes (u8) into nested_table
  const float *nested_table;  // [256]; null: absmax is fp32
  const float *nested_absmax; // one for 256 blocks
  const float *nested_offset; // [1]
};

struct LinearNf4Args {
  const void *input; // [rows, in], rows start at multiples of 16 bytes
  Nf4Matrix weight;
  const void *bias; // [features]; null: none
  void *out;        // [rows, features]
  int rows, features;
};

} // namespace maskjit::device
