// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The mask, as the kernels see it. The compiler generates strong definitions that replace the weak ones when both are
// linked; what it could not derive keeps the weak one, which claims nothing: slower, never wrong.
#pragma once
#include "compiler/device/cpu/CpuAttention.h"

namespace maskjit::cpu {
struct Range {
  int64_t begin, end;
};
inline constexpr int32_t kAny = 1, kAll = 2; // bits of a tile's class
} // namespace maskjit::cpu

extern "C" {
using MaskParam = maskjit::cpu::Param;
using MaskRange = maskjit::cpu::Range;

// ---- what the kernel is compiled for ----
int32_t maskjit_head_dim();
int32_t maskjit_dtype(); // 0: fp32, 1: fp16, 2: bf16 (maskjit::DType)
bool maskjit_wide();     // 32 vector registers of 64 bytes, as AVX-512 has

// ---- the mask: always generated ----
bool mask_attends(const MaskParam *params, int32_t b, int32_t h, int32_t q, int32_t k);

// ---- derived ----
#define MASKJIT_DERIVED __attribute__((weak))
MASKJIT_DERIVED bool mask_uses_head() { return true; } // does any function of the mask read h?
MASKJIT_DERIVED MaskRange mask_keys(const MaskParam *, int32_t, int32_t, int32_t, int32_t) { return {0, INT32_MAX}; }
MASKJIT_DERIVED MaskRange mask_full_keys(const MaskParam *, int32_t, int32_t, int32_t, int32_t) { return {0, 0}; }
MASKJIT_DERIVED MaskRange mask_queries(const MaskParam *, int32_t, int32_t, int32_t, int32_t) { return {0, INT32_MAX}; }
MASKJIT_DERIVED bool mask_has_row() { return false; }
MASKJIT_DERIVED MaskRange mask_row(const MaskParam *, int32_t, int32_t, int32_t) { return {0, 0}; }
MASKJIT_DERIVED int32_t mask_classify(const MaskParam *params, int32_t b, int32_t h, int32_t q0, int32_t q1, int32_t k0,
                                      int32_t k1) {
  MaskRange full = mask_full_keys(params, b, h, q0, q1);
  if (full.begin <= k0 && k1 <= full.end)
    return maskjit::cpu::kAny | maskjit::cpu::kAll;
  MaskRange some = mask_keys(params, b, h, q0, q1);
  return some.begin < k1 && k0 < some.end ? maskjit::cpu::kAny : 0;
}

// ---- the score clause ----
MASKJIT_DERIVED bool mask_has_score() { return false; }
MASKJIT_DERIVED float mask_score(const MaskParam *, float s, int32_t, int32_t, int32_t, int32_t) { return s; }
MASKJIT_DERIVED float mask_score_grad(const MaskParam *, float, int32_t, int32_t, int32_t, int32_t) { return 1; }

// ---- called by generated functions ----

/// The least i in [0, size] with array[i] >= value, for sequence b of a sorted array.
__attribute__((used)) inline int64_t maskjit_search(const MaskParam *param, int64_t b, int64_t value) {
  const int32_t *array = static_cast<const int32_t *>(param->data) + b * param->batchStride;
  int64_t low = 0, count = param->size;
  while (count > 0) {
    int64_t half = count / 2;
    bool below = array[low + half] < value;
    low = below ? low + half + 1 : low;
    count = below ? count - half - 1 : half;
  }
  return low;
}
}
