// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sixteen floats at a time: loads and stores in every dtype, exp and log. The JIT maps them to what the machine has.
#pragma once
#include "compiler/device/cpu/MaskFunctions.h"

#define MASKJIT_INLINE __attribute__((always_inline)) inline

namespace maskjit::cpu {

inline constexpr int64_t kLanes = 16;
using Vec = float __attribute__((vector_size(64)));
using VecInt = int32_t __attribute__((vector_size(64)));
using Shorts = uint16_t __attribute__((vector_size(32)));
using Halves = _Float16 __attribute__((vector_size(32)));
inline constexpr float kInfinity = __builtin_inff();

MASKJIT_INLINE Vec splat(float x) { return Vec{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
MASKJIT_INLINE Vec load(const float *p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
MASKJIT_INLINE void store(float *p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
MASKJIT_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
MASKJIT_INLINE float max(float a, float b) { return a > b ? a : b; }

// In a fixed order, so that sums do not depend on the machine's vector width.
MASKJIT_INLINE float horizontalSum(Vec v) {
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
  return v[0] + v[1];
}
MASKJIT_INLINE float horizontalMax(Vec v) {
  v = max(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  v = max(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
  v = max(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1));
  return max(v[0], v[1]);
}

// ---- dtypes ----

MASKJIT_INLINE int64_t elementBytes() { return maskjit_dtype() == 0 ? 4 : 2; }
MASKJIT_INLINE char *elementAt(void *data, int64_t offset) {
  return static_cast<char *>(data) + offset * elementBytes();
}

MASKJIT_INLINE Vec loadElements(const void *p) {
  if (maskjit_dtype() == 0)
    return load(static_cast<const float *>(p));
  if (maskjit_dtype() == 1) {
    Halves h;
    __builtin_memcpy(&h, p, sizeof h);
    return __builtin_convertvector(h, Vec);
  }
  Shorts s;
  __builtin_memcpy(&s, p, sizeof s);
  return reinterpret_cast<Vec>(__builtin_convertvector(s, VecInt) << 16);
}

MASKJIT_INLINE void storeElements(void *p, Vec v) {
  if (maskjit_dtype() == 0)
    return store(static_cast<float *>(p), v);
  if (maskjit_dtype() == 1) {
    Halves h = __builtin_convertvector(v, Halves);
    __builtin_memcpy(p, &h, sizeof h);
    return;
  }
  // bf16 keeps the upper half, rounded to nearest even; a NaN keeps a quiet bit, which rounding could carry away.
  VecInt bits = reinterpret_cast<VecInt>(v);
  VecInt rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  Shorts s = __builtin_convertvector(v != v ? (bits >> 16) | 0x40 : rounded, Shorts);
  __builtin_memcpy(p, &s, sizeof s);
}

// ---- exp, log, tanh ----
// Written for one value or sixteen; free of branches, so that a loop over lanes that calls the former is vectorised.

template <class F, class I> MASKJIT_INLINE F expOf(F x) {
  // exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 in two parts, the first exact times any n.
  constexpr float log2e = 1.44269504f, ln2High = 0.693359375f, ln2Low = -2.12194440e-4f;
  constexpr float roundToInteger = 12582912.f; // 1.5 * 2^23: adding it leaves the integer in the low bits
  constexpr float least = -87.33654f, most = 88.72283f;
  F clamped = x < least ? F{} + least : x;
  clamped = clamped > most ? F{} + most : clamped;
  F shifted = clamped * log2e + roundToInteger;
  F n = shifted - roundToInteger;
  F r = clamped - n * ln2High;
  r = r - n * ln2Low;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f; // Cephes expf
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  I bits, power;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  // 2^n in two steps: n = 128 has no float of its own.
  bits = bits - 0x4b400000;
  I half = bits >> 1;
  power = (half + 127) << 23;
  F scale1, scale2;
  __builtin_memcpy(&scale1, &power, sizeof scale1);
  power = (bits - half + 127) << 23;
  __builtin_memcpy(&scale2, &power, sizeof scale2);
  p = p * scale1 * scale2;
  p = x < least ? F{} : p; // exact, so that a masked score weighs nothing
  p = x > most ? F{} + kInfinity : p;
  return x != x ? x : p;
}
MASKJIT_INLINE Vec exp(Vec x) { return expOf<Vec, VecInt>(x); }
MASKJIT_INLINE float exp(float x) { return expOf<float, int32_t>(x); }

MASKJIT_INLINE float log(float x) {
  // x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); Cephes logf.
  float scaled = x < 1.17549435e-38f ? x * 8388608.f : x; // a subnormal times 2^23
  int32_t bits;
  __builtin_memcpy(&bits, &scaled, sizeof bits);
  int32_t e = ((bits - 0x3f3504f3) >> 23);
  int32_t mantissa = bits - (e << 23);
  float f;
  __builtin_memcpy(&f, &mantissa, sizeof f);
  f -= 1.f;
  float exponent = float(e) - (x < 1.17549435e-38f ? 23.f : 0.f);
  float z = f * f;
  float y = f * 7.0376836292e-2f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  y = y * f * z + exponent * -2.12194440e-4f - 0.5f * z;
  float result = f + y + exponent * 0.693359375f;
  result = x == kInfinity ? x : result;
  result = x == 0.f ? -kInfinity : result;
  return x < 0.f || x != x ? __builtin_nanf("") : result;
}

MASKJIT_INLINE float tanh(float x) {
  // Near 0 a polynomial (Cephes tanhf), beyond it 1 - 2 / (exp(2 |x|) + 1).
  float a = __builtin_fabsf(x), z = x * x;
  float p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float near = p * z * x + x;
  float far = __builtin_copysignf(1.f - 2.f / (exp(2.f * a) + 1.f), x);
  return a < 0.625f ? near : far;
}

} // namespace maskjit::cpu

// What math.exp and its neighbours of a score clause become.
extern "C" {
__attribute__((used)) MASKJIT_INLINE float maskjit_exp(float x) { return maskjit::cpu::exp(x); }
__attribute__((used)) MASKJIT_INLINE float maskjit_log(float x) { return maskjit::cpu::log(x); }
__attribute__((used)) MASKJIT_INLINE float maskjit_tanh(float x) { return maskjit::cpu::tanh(x); }
}
