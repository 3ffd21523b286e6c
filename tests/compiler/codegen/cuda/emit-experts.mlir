// RUN: maskjit compile-experts --class 4 | FileCheck %s --check-prefix=ROWS
// RUN: maskjit compile-experts --class 144 | FileCheck %s --check-prefix=GROUPED
// RUN: maskjit compile-experts --class 64 --arch sm_75 | FileCheck %s --check-prefix=TURING
// RUN: maskjit compile-experts --class 64 --kind gradient --intermediate 5760 | FileCheck %s --check-prefix=GRADIENT
// RUN: maskjit compile-experts --class 16 --emit attn | maskjit-opt | FileCheck %s --check-prefix=ATTN
// RUN: not maskjit compile-experts --class 4 --arch sm_80 2>&1 | FileCheck %s --check-prefix=REFUSED
// A file is the sizes, a schedule and a line for each kernel.

// ROWS: #include "experts_rows.cuh"
// ROWS: using Shape = ExpertsShape<2880, 2880, 4>;
// ROWS-NEXT: using Schedule = ExpertsRows<Shape, 2>;
// ROWS: void moe_rows(const __grid_constant__ ExpertsArgs args) {
// ROWS-NEXT: experts_rows<Schedule>(args);

// GROUPED: #include "experts_product_sm90.cuh"
// GROUPED: using Schedule = ExpertsGroupedSm90<Shape, 144, 2, 3, 2>;
// GROUPED: void moe_route(
// GROUPED: void moe_gate_up(
// GROUPED-NEXT: experts_gate_up<Schedule, bf16>(args);
// GROUPED: void moe_down(
// GROUPED: void moe_combine(

// TURING: #include "experts_product.cuh"
// TURING: ExpertsGrouped<Sm75, Shape, 64, 2, 4, 2>
// TURING: experts_down<Schedule, fp16>(args);

// GRADIENT: constexpr int kMatrixRows = 5760, kMatrixColumns = 2880;
// GRADIENT: void moe_gradient(const __grid_constant__ ExpertsLinearArgs args) {

// ATTN: attn.experts {{.*}} class 16 {schedule = #attn.experts_schedule<kernel = grouped, family = "Sm90", tile_tokens = 16

// REFUSED: no kernel of class 4 for experts of 2880 x 2880 on sm_80; there are 16, 32, 64
