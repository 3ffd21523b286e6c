// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MXFP4 to bf16 or fp16 in registers.
//
// Eight weights are one 32-bit word, nibble i = element i, bits s e e m (E2M1). A bf16 whose sign is s, whose two LOW
// exponent bits are ee and whose TOP mantissa bit is m is E2M1 * 2^-126, for ee = 0 too, since then both formats are
// subnormal (fp16: * 2^-14). So decoding moves bits: no table, no branch, no rounding, and -0 stays -0. Bits move by
// one multiplication: nibble * (2^6 + 2^12) has eem at 8..6 and s at 15 at once, since the copies do not overlap. That
// runs beside the units that LOP3, PRMT and SHF share. The block's scale is one more multiplication, exact: a power of
// two times a significand of two bits.
//
// Elements i and i + 4 are 16 bits apart, so they make a pair. A sum does not care about order: activations are stored
// in pair order instead. In every 32 features, position 8 (r & 3) + 2 q + (r >> 2) holds feature 8 q + r: then what the
// tensor core takes from lane q as K is what the nibbles of word q are.
#pragma once
#include "instructions.cuh"

namespace maskjit::device {

using u8 = unsigned char;

struct Pairs {
  u32 p[4]; // p[i] = elements i (bits 15..0) and i + 4 (bits 31..16)
};

template <class T> __device__ inline u32 multiply_pair(u32 a, u32 b) {
  u32 r;
  if constexpr (T::kBf16) {
#if __CUDA_ARCH__ >= 900
    asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
#elif __CUDA_ARCH__ >= 800
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(0x80008000u)); // plus -0: the product itself
#else
    static_assert(!T::kBf16, "bf16 needs sm_80");
#endif
  } else {
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
  }
  return r;
}

/// The weights' pairs before their scale: E2M1 * 2^-126 in bf16, * 2^-14 in fp16.
template <class T> __device__ inline Pairs mxfp4_bits(u32 w) {
  if constexpr (T::kBf16) {
    const u32 kSignExpMant = 0x81C081C0u, v = w >> 8;
    return {{((w & 0x000F000Fu) * 0x1040u) & kSignExpMant, ((w & 0x00F000F0u) * 0x0104u) & kSignExpMant,
             ((v & 0x000F000Fu) * 0x1040u) & kSignExpMant, ((v & 0x00F000F0u) * 0x0104u) & kSignExpMant}};
  }
  const u32 kSign = 0x80008000u, kExpMant = 0x0E000E00u;
  return {{((w << 12) & kSign) | ((w << 9) & kExpMant), ((w << 8) & kSign) | ((w << 5) & kExpMant),
           ((w << 4) & kSign) | ((w << 1) & kExpMant), (w & kSign) | ((w >> 3) & kExpMant)}};
}

/// The factor of a scale byte in fp16: 2^(scale - 113), subnormal below 99, 0 below 89 (weights below 2^-35).
__device__ inline u32 mxfp4_factor_fp16(u32 scale) {
  return scale >= 99 ? (scale - 98) << 10 : scale >= 89 ? 1u << (scale - 89) : 0u;
}
/// The factors of two scale bytes, one a half. bf16: 2^(scale - 1), valid to 128, above it would be infinite.
template <class T> __device__ inline u32 mxfp4_factors(u32 low, u32 high) {
  if constexpr (T::kBf16)
    return ((low | high << 16) + 0x007E007Eu) << 7;
  return mxfp4_factor_fp16(low) | mxfp4_factor_fp16(high) << 16;
}
template <class T> __device__ inline u32 mxfp4_factor(u32 scale) {
  if constexpr (T::kBf16)
    return (scale + 126u) * 0x00800080u;
  return mxfp4_factors<T>(scale, scale);
}

/// Eight weights; in bf16 17 instructions, exact for every code and scale byte 0..128, subnormal results included.
template <class T> __device__ inline Pairs mxfp4_decode(u32 w, u32 factor) {
  Pairs r = mxfp4_bits<T>(w);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    r.p[i] = multiply_pair<T>(r.p[i], factor);
  return r;
}

/// One 16-byte piece of every 8 features in the order 0 4 1 5 2 6 3 7: the pairs of a word.
__device__ inline uint4 pairs_of_eight(uint4 v) {
  return make_uint4(__byte_perm(v.x, v.z, 0x5410), __byte_perm(v.x, v.z, 0x7632), __byte_perm(v.y, v.w, 0x5410),
                    __byte_perm(v.y, v.w, 0x7632));
}

/// gpt-oss: both inputs clamped, the gate from above only.
__device__ inline float clamped_swiglu(float gate, float up, float alpha, float limit) {
  gate = fminf(gate, limit);
  up = fminf(fmaxf(up, -limit), limit);
  return __fdividef(gate, 1.0f + __expf(-alpha * gate)) * (up + 1.0f);
}

} // namespace maskjit::device
