// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes over masks, in the order of the pipeline.
#ifndef MASKJIT_TRANSFORMS_PASSES_TD
#define MASKJIT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def MaskSpecialize : Pass<"mask-specialize", "::mlir::ModuleOp"> {
  let summary = "turn static parameters into constants";
  let description = [{
    A `static` parameter is part of what a kernel is keyed by; any other stays a run-time value. Every static parameter
    takes the value that `values` gives or its default, its reads become constants, and its declaration goes.

    ```mlir
    %w = mask.param "window" : index   // values=window=128, or default 128
    ```
    becomes
    ```mlir
    %w = mask.constant 128 : index
    ```
  }];
  let options = [ListOption<"values", "values", "std::string", "name=integer, for static parameters">];
  let statistics = [Statistic<"folded", "reads-folded", "reads of static parameters that became constants">];
  let dependentDialects = ["::maskjit::mask::MaskDialect"];
}

// ---- attention ----

def AttnChooseSchedule : Pass<"attn-choose-schedule", "::mlir::ModuleOp"> {
  let summary = "give every attention a schedule that fits an architecture";
  let description = [{
    An operation without a schedule takes the table's (compiler/device/ScheduleTable.cpp) for its element type and head
    dimension. One that has a schedule, from a tuner or by hand, keeps it if the architecture has the instructions and
    the shared memory; else the pass fails and says what would fit.

    ```mlir
    %o, %l = attn.forward @m scale 0.125 (%q, %k, %v) : ...  // arch=sm_90a, tensor<?x64x?x64xbf16>
    ```
    becomes
    ```mlir
    %o, %l = attn.forward @m scale 0.125 (%q, %k, %v)
      {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 2, warps = 4>} : ...
    ```
  }];
  let options = [Option<"arch", "arch", "std::string", "\"sm_90a\"", "one of sm_75 80 86 89 90a 100 103 120">];
  let dependentDialects = ["::maskjit::attn::AttnDialect"];
}

#endif
