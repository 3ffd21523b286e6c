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

#endif
