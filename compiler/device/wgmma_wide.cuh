// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// d[64 x 8 N] += A[64 x 16] B[16 x 8 N] for one warpgroup, bf16 in, fp32 out, A in registers or K-major in shared
// memory, B K-major in shared memory. d[j] is the lane's part of columns 8j .. 8j + 7, as mma of instructions.cuh
// leaves it. Issue between mma_fence and mma_commit.
//
// Inline assembly cannot loop over its operands: NAMES and SUMS spell those of j < N, each from the ones before.
#pragma once
#include "hopper.cuh"

namespace maskjit::device {

#define MASKJIT_SUM(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define MASKJIT_NAMES_1 "%0, %1, %2, %3"
#define MASKJIT_SUMS_1 MASKJIT_SUM(0)
#define MASKJIT_NAMES_2 MASKJIT_NAMES_1 ", %4, %5, %6, %7"
#define MASKJIT_SUMS_2 MASKJIT_SUMS_1, MASKJIT_SUM(1)
#define MASKJIT_NAMES_3 MASKJIT_NAMES_2 ", %8, %9, %10, %11"
#define MASKJIT_SUMS_3 MASKJIT_SUMS_2, MASKJIT_SUM(2)
#define MASKJIT_NAMES_4 MASKJIT_NAMES_3 ", %12, %13, %14, %15"
#define MASKJIT_SUMS_4 MASKJIT_SUMS_3, MASKJIT_SUM(3)
#define MASKJIT_NAMES_5 MASKJIT_NAMES_4 ", %16, %17, %18, %19"
#define MASKJIT_SUMS_5 MASKJIT_SUMS_4, MASKJIT_SUM(4)
#define MASKJIT_NAMES_6 MASKJIT_NAMES_5 ", %20, %21, %22, %23"
#define MASKJIT_SUMS_6 MASKJIT_SUMS_5, MASKJIT_SUM(5)
#define MASKJIT_NAMES_7 MASKJIT_NAMES_6 ", %24, %25, %26, %27"
#define MASKJIT_SUMS_7 MASKJIT_SUMS_6, MASKJIT_SUM(6)
#define MASKJIT_NAMES_8 MASKJIT_NAMES_7 ", %28, %29, %30, %31"
#define MASKJIT_SUMS_8 MASKJIT_SUMS_7, MASKJIT_SUM(7)
#define MASKJIT_NAMES_9 MASKJIT_NAMES_8 ", %32, %33, %34, %35"
#define MASKJIT_SUMS_9 MASKJIT_SUMS_8, MASKJIT_SUM(8)
#define MASKJIT_NAMES_10 MASKJIT_NAMES_9 ", %36, %37, %38, %39"
#define MASKJIT_SUMS_10 MASKJIT_SUMS_9, MASKJIT_SUM(9)
#define MASKJIT_NAMES_11 MASKJIT_NAMES_10 ", %40, %41, %42, %43"
#define MASKJIT_SUMS_11 MASKJIT_SUMS_10, MASKJIT_SUM(10)
#define MASKJIT_NAMES_12 MASKJIT_NAMES_11 ", %44, %45, %46, %47"
#define MASKJIT_SUMS_12 MASKJIT_SUMS_11, MASKJIT_SUM(11)
#define MASKJIT_NAMES_13 MASKJIT_NAMES_12 ", %48, %49, %50, %51"
#define MASKJIT_SUMS_13 MASKJIT_SUMS_12, MASKJIT_SUM(12)
#define MASKJIT_NAMES_14 MASKJIT_NAMES_13 ", %52, %53, %54, %55"
#define MASKJIT_SUMS_14 MASKJIT_SUMS_13, MASKJIT_SUM(13)
#define MASKJIT_NAMES_15 MASKJIT_NAMES_14 ", %56, %57, %58, %59"
#define MASKJIT_SUMS_15 MASKJIT_SUMS_14, MASKJIT_SUM(14)
#define MASKJIT_NAMES_16 MASKJIT_NAMES_15 ", %60, %61, %62, %63"
#define MASKJIT_SUMS_16 MASKJIT_SUMS_15, MASKJIT_SUM(15)
#define MASKJIT_NAMES_17 MASKJIT_NAMES_16 ", %64, %65, %66, %67"
#define MASKJIT_SUMS_17 MASKJIT_SUMS_16, MASKJIT_SUM(16)
#define MASKJIT_NAMES_18 MASKJIT_NAMES_17 ", %68, %69, %70, %71"
#define MASKJIT_SUMS_18 MASKJIT_SUMS_17, MASKJIT_SUM(17)
#define MASKJIT_NAMES_19 MASKJIT_NAMES_18 ", %72, %73, %74, %75"
#define MASKJIT_SUMS_19 MASKJIT_SUMS_18, MASKJIT_SUM(18)
#define MASKJIT_NAMES_20 MASKJIT_NAMES_19 ", %76, %77, %78, %79"
#define MASKJIT_SUMS_20 MASKJIT_SUMS_19, MASKJIT_SUM(19)
#define MASKJIT_NAMES_21 MASKJIT_NAMES_20 ", %80, %81, %82, %83"
#define MASKJIT_SUMS_21 MASKJIT_SUMS_20, MASKJIT_SUM(20)
#define MASKJIT_NAMES_22 MASKJIT_NAMES_21 ", %84, %85, %86, %87"
#define MASKJIT_SUMS_22 MASKJIT_SUMS_21, MASKJIT_SUM(21)
#define MASKJIT_NAMES_23 MASKJIT_NAMES_22 ", %88, %89, %90, %91"
#define MASKJIT_SUMS_23 MASKJIT_SUMS_22, MASKJIT_SUM(22)
#define MASKJIT_NAMES_24 MASKJIT_NAMES_23 ", %92, %93, %94, %95"
#define MASKJIT_SUMS_24 MASKJIT_SUMS_23, MASKJIT_SUM(23)
#define MASKJIT_NAMES_25 MASKJIT_NAMES_24 ", %96, %97, %98, %99"
#define MASKJIT_SUMS_25 MASKJIT_SUMS_24, MASKJIT_SUM(24)
#define MASKJIT_NAMES_26 MASKJIT_NAMES_25 ", %100, %101, %102, %103"
#define MASKJIT_SUMS_26 MASKJIT_SUMS_25, MASKJIT_SUM(25)
#define MASKJIT_NAMES_27 MASKJIT_NAMES_26 ", %104, %105, %106, %107"
#define MASKJIT_SUMS_27 MASKJIT_SUMS_26, MASKJIT_SUM(26)
#define MASKJIT_NAMES_28 MASKJIT_NAMES_27 ", %108, %109, %110, %111"
#define MASKJIT_SUMS_28 MASKJIT_SUMS_27, MASKJIT_SUM(27)
#define MASKJIT_NAMES_29 MASKJIT_NAMES_28 ", %112, %113, %114, %115"
#define MASKJIT_SUMS_29 MASKJIT_SUMS_28, MASKJIT_SUM(28)
#define MASKJIT_NAMES_30 MASKJIT_NAMES_29 ", %116, %117, %118, %119"
#define MASKJIT_SUMS_30 MASKJIT_SUMS_29, MASKJIT_SUM(29)
#define MASKJIT_NAMES_31 MASKJIT_NAMES_30 ", %120, %121, %122, %123"
#define MASKJIT_SUMS_31 MASKJIT_SUMS_30, MASKJIT_SUM(30)
#define MASKJIT_NAMES_32 MASKJIT_NAMES_31 ", %124, %125, %126, %127"
#define MASKJIT_SUMS_32 MASKJIT_SUMS_31, MASKJIT_SUM(31)

/// The product of N times 8 columns. A, B: what the assembly calls A's four registers and B's descriptor.
#define MASKJIT_MMA_WIDE(N, COLUMNS, A, B)                                                                             \
  __device__ inline void mma_wide(float (&d)[N][4], const u32(&a)[4], u64 b) {                                         \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #COLUMNS "k16.f32.bf16.bf16 {" MASKJIT_NAMES_##N "}, {" A "}, " B \
                                                                                                      ", 1, 1, 1, 0;"  \
                 : MASKJIT_SUMS_##N                                                                                    \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                                                \
  }

MASKJIT_MMA_WIDE(1, 8, "%4, %5, %6, %7", "%8")
MASKJIT_MMA_WIDE(2, 16, "%8, %9, %10, %11", "%12")
MASKJIT_MMA_WIDE(3, 24, "%12, %13, %14, %15", "%16")
MASKJIT_MMA_WIDE(4, 32, "%16, %17, %18, %19", "%20")
MASKJIT_MMA_WIDE(6, 48, "%24, %25, %26, %27", "%28")
MASKJIT_MMA_WIDE(8, 64, "%32, %33, %34, %35", "%36")
MASKJIT_MMA_WIDE(10, 80, "%40, %41, %42, %43", "%44")
MASKJIT_MMA_WIDE(12, 96, "%48, %49, %50, %51", "%52")
MASKJIT_MMA_WIDE(14, 112, "%56, %57, %58, %59", "%60")
MASKJIT_MMA_WIDE(16, 128, "%64, %65, %66, %67", "%68")
MASKJIT_MMA_WIDE(17, 136, "%68, %69, %70, %71", "%72")
MASKJIT_MMA_WIDE(18, 144, "%72, %73, %74, %75", "%76")
MASKJIT_MMA_WIDE(20, 160, "%80, %81, %82, %83", "%84")
MASKJIT_MMA_WIDE(22, 176, "%88, %89, %90, %91", "%92")
MASKJIT_MMA_WIDE(24, 192, "%96, %97, %98, %99", "%100")

/// The same with A in shared memory too, K-major.
#define MASKJIT_MMA_SHARED(N, COLUMNS, A, B)                                                                           \
  __device__ inline void mma_wide(float (&d)[N][4], u64 a, u64 b) {                                                    \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #COLUMNS "k16.f32.bf16.bf16 {" MASKJIT_NAMES_##N                  \
                 "}, " A ", " B ", 1, 1, 1, 0, 0;"                                                                     \
                 : MASKJIT_SUMS_##N                                                                                    \
                 : "l"(a), "l"(b));                                                                                    \
  }

MASKJIT_MMA_SHARED(2, 16, "%8", "%9")
MASKJIT_MMA_SHARED(4, 32, "%16", "%17")
MASKJIT_MMA_SHARED(8, 64, "%32", "%33")
MASKJIT_MMA_SHARED(12, 96, "%48", "%49")
MASKJIT_MMA_SHARED(16, 128, "%64", "%65")
MASKJIT_MMA_SHARED(20, 160, "%80", "%81")
MASKJIT_MMA_SHARED(24, 192, "%96", "%97")
MASKJIT_MMA_SHARED(32, 256, "%128", "%129")

#undef MASKJIT_MMA_SHARED
#undef MASKJIT_MMA_WIDE
#undef MASKJIT_SUM

} // namespace maskjit::device
