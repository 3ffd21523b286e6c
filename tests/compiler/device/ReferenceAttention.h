// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention and its gradients in float64, straight from the formulas, and the same with a kernel's unavoidable
// roundings.
#pragma once
#include "TestMasks.h"
#include "compiler/Compiler.h"
#include <cstdint>

namespace maskjit::test {

uint16_t roundTo(DType dtype, float value);
float valueOf(DType dtype, uint16_t bits);

struct AttentionProblem {
  DType dtype = DType::BF16;
  int batch = 1, headsQ = 1, headsKv = 1, lenQ = 1, lenK = 1, headDim = 64;
  double scale = 0.125;
  std::vector<float> q, k, v, dout; // dense [B, H, S, D], representable in dtype
  std::vector<float> sinks;         // [Hq] or empty
  std::vector<int> kvLen;           // [B] or empty
  const TestMask *mask = nullptr;
  MaskValues values;
};

struct AttentionResult {
  std::vector<double> out, lse, dq, dk, dv, dsinks; // dense
};

/// `rounded`: probabilities and score gradients are rounded to dtype before they enter a product, and so are the
/// results; all else stays float64. No kernel with 16-bit operands can be expected to be nearer to the exact result.
AttentionResult referenceAttention(const AttentionProblem &problem, bool backward, bool rounded);

} // namespace maskjit::test
