// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instructions that kernels are made of, under names: tensor-core products, matrix loads, asynchronous copies.
// No header from outside: NVRTC compiles this file in a few milliseconds.
#pragma once

namespace maskjit::device {

using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

/// Names of element types; values stay packed in 32-bit registers. The text is the product's, by asm constraint "C".
struct bf16 {
  static constexpr bool kBf16 = true;
  static constexpr char kMmaTypes[] = ".bf16.bf16";
};
struct fp16 {
  static constexpr bool kBf16 = false;
  static constexpr char kMmaTypes[] = ".f16.f16";
};

constexpr int kWarp = 32;
__device__ inline int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ inline int warp_index() { return __shfl_sync(~0u, static_cast<int>(threadIdx.x) / kWarp, 0); } // uniform

// ---- numbers ----

constexpr float kLog2e = 1.44269504f;
constexpr float kInfinity = __builtin_bit_cast(float, 0x7f800000);

/// 2 ulp; -inf gives 0.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two numbers rounded to T, the first in the low half.
template <class T> __device__ u32 pack(float low, float high) {
  u32 packed;
#if __CUDA_ARCH__ >= 800
  if constexpr (T::kBf16)
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
#else
  static_assert(!T::kBf16, "bf16 needs sm_80");
  asm("{ .reg .f16 l, h; cvt.rn.f16.f32 l, %1; cvt.rn.f16.f32 h, %2; mov.b32 %0, {l, h}; }"
      : "=r"(packed)
      : "f"(low), "f"(high));
#endif
  return packed;
}
/// The same, but no number becomes an infinity: in fp16 what is past the largest number becomes that number.
template <class T> __device__ u32 pack_finite(float low, float high) {
  if constexpr (!T::kBf16) {
    constexpr float kLargest = 65504.f;
    low = fminf(fmaxf(low, -kLargest), kLargest), high = fminf(fmaxf(high, -kLargest), kLargest);
  }
  return pack<T>(low, high);
}
template <class T> __device__ float low_half(u32 packed) {
  if constexpr (T::kBf16)
    return __int_as_float(static_cast<int>(packed << 16));
  float x;
  asm("{ .reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l; }" : "=f"(x) : "r"(packed));
  return x;
}
template <class T> __device__ float high_half(u32 packed) {
  if constexpr (T::kBf16)
    return __int_as_float(static_cast<int>(packed & 0xffff0000u));
  return low_half<T>(packed >> 16);
}

// ---- the four lanes that share a row of a product ----

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

// ---- shared memory, by its 32-bit address ----

__device__ inline u32 shared_address(const void *p) { return static_cast<u32>(__cvta_generic_to_shared(p)); }
__device__ inline void shared_write(u32 address, uint4 x) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w)
               : "memory");
}
__device__ inline void shared_write(u32 address, u32 x) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(x) : "memory");
}
/// The low half of `x`.
__device__ inline void shared_write_u16(u32 address, u32 x) {
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(static_cast<u16>(x)) : "memory");
}
__device__ inline uint4 shared_read(u32 address) {
  uint4 x;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(address)
               : "memory");
  return x;
}

/// Four 8 x 8 matrices of 16-bit elements, one register each, from the rows whose addresses lanes 0-7, 8-15, .. hold.
__device__ inline void load_matrices(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_matrices_transposed(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

// ---- asynchronous copies; without them the same calls copy through registers ----

/// 16 bytes from global to shared memory, or zeros.
__device__ inline void copy_async(u32 to, const void *from, bool exists) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(exists ? 16 : 0)
               : "memory");
}
template <class Arch> __device__ void copy_commit() {
  if constexpr (Arch::kAsyncCopy)
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Until at most kPending of this thread's groups are under way.
template <class Arch, int kPending> __device__ void copy_wait() {
  if constexpr (Arch::kAsyncCopy)
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// ---- products: d[16 x 8] += a[16 x 16] b[16 x 8] for one warp ----
//
// With g = lane / 4 and t = lane % 4: d = rows (g, g, g+8, g+8), columns 2t + (0, 1, 0, 1). a = rows (g, g+8, g, g+8),
// columns from (2t, 2t, 2t+8, 2t+8): two d side by side, packed, are an a. b = column g, rows from 2t and from 2t+8.

template <class Arch, class T> __device__ void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  if constexpr (Arch::kBf16) {
    if constexpr (T::kBf16)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                   "{%0, %1, %2, %3};"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                   "{%0, %1, %2, %3};"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    static_assert(!T::kBf16, "bf16 products need sm_80");
#pragma unroll
    for (int half = 0; half < 2; ++half)
      asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
                   "{%0, %1, %2, %3};"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                   : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(half ? b1 : b0));
  }
}

} // namespace maskjit::device
