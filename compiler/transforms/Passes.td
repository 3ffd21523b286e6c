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
  let dependentDialects = ["::maskjit::mask::MaskDialect"];
}

def MaskSimplify : Pass<"mask-simplify", "::mlir::ModuleOp"> {
  let summary = "decide what the declared ranges decide";
  let description = [{
    Comparisons whose sides differ by a linear form of one sign become constants, min and max whose operands do not
    overlap one of them, remainders of smaller dividends the dividend.

    ```mlir
    %0 = mask.add %q, %offset        // offset in [0, 4096]
    %1 = mask.cmp ge, %0, %zero      // always true
    ```
    becomes
    ```mlir
    %1 = mask.constant true
    ```
  }];
  let dependentDialects = ["::maskjit::mask::MaskDialect"];
}

class MaskDerivation<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = ["::maskjit::mask::MaskDialect"];
}

def MaskDeriveKeys : MaskDerivation<"mask-derive-keys"> {
  let summary = "the keys that a tile of queries, or one query, attends";
  let description = [{
    Adds `@m.keys`, `@m.full_keys` and, where the keys of one query are an interval, `@m.row`. The coordinates of the
    tile are eliminated from the predicate's linear constraints (MLIR's Presburger library), which leaves bounds over
    the tile's corners and the parameters:

    ```mlir
    mask.func @window(%b, %h, %q, %k)  // 0 <= q - k < w
    ```
    gives
    ```mlir
    mask.func @window.keys(%b, %h, %q0, %q1)       // [q0 - w + 1, q1)
    mask.func @window.full_keys(%b, %h, %q0, %q1)  // [q1 - w, q0 + 1)
    mask.func @window.row(%b, %h, %q)              // [q - w + 1, q + 1)
    ```
    Terms that are not linear stand for anything between their extremes in the tile; sorted arrays are searched. A union
    of more than a few conjunctions is taken apart, and what is known of its parts put together again. A function that
    would say nothing, or whose integers need more than 64 bits, is left out.
  }];
}

def MaskDeriveQueries : MaskDerivation<"mask-derive-queries"> {
  let summary = "the queries that attend a tile of keys, or one key";
  let description = [{
    Adds `@m.queries`, `@m.full_queries` and `@m.column`: mask-derive-keys from the keys' side, for the backward pass.
  }];
}

def MaskDeriveTileClass : MaskDerivation<"mask-derive-tile-class"> {
  let summary = "whether a tile of queries and keys is empty, full or partial";
  let description = [{
    Adds `@m.classify`, which returns `any` (false: no pair attends) and `all` (true: every pair attends): `any` is the
    union of what the predicate's conjunctions leave when both coordinates are eliminated, `all` the opposite of the
    same for the negated predicate. What is not proven leaves a tile partial.
  }];
}

def MaskDeriveScoreGradient : Pass<"mask-derive-score-gradient", "::mlir::ModuleOp"> {
  let summary = "the derivative of a score clause";
  let description = [{
    Adds `@m.score_grad`, d score / d s by the chain rule, for every `@m.score`. Where min, max or abs have a corner the
    slope is that of one side. An operation without a rule is an error.
  }];
  let dependentDialects = ["::maskjit::mask::MaskDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def MaskProveWidth : Pass<"mask-prove-width", "::mlir::ModuleOp"> {
  let summary = "the width that holds every integer of a function";
  let description = [{
    Notes on every function, in the attribute `mask.width`, whether 32 or 64 bits hold all of its integers, whatever the
    parameters within their declared ranges; where 64 do not, it fails at the expression. Code generators ask for the
    same by requiredWidth.
  }];
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

// ---- a decode step: neighbours become one kernel; without any of these passes the same numbers take longer ----

class AttnFusion<string flag> : Pass<flag> {
  let dependentDialects = ["::maskjit::attn::AttnDialect"];
}

def AttnFuseProjections : AttnFusion<"attn-fuse-projections"> {
  let summary = "matrices that multiply the same rows become one product";
  let description = [{
    ```mlir
    %q = attn.linear %n by (%wq)
    %k = attn.linear %n by (%wk)
    ```
    becomes
    ```mlir
    %q, %k = attn.linear %n by (%wq, %wk)
    ```
    A product whose result is needed before the last of them stays alone.
  }];
}

def AttnFuseNorm : AttnFusion<"attn-fuse-norm"> {
  let summary = "a norm goes into the products, or the routing, that read it";
  let description = [{
    ```mlir
    %n = attn.rms_norm %x, %g eps 1.0e-05
    %y = attn.linear %n by (%w)
    ```
    becomes
    ```mlir
    %y = attn.linear %x norm (%g) eps 1.0e-05 by (%w)
    ```
    and the norm in fp32 that a routing reads goes into it with the rounded one that the experts read. Products of fp16
    keep their norm, which bounds their input; so do products of more than 8 `rows`, each block of which would norm all
    of them again.
  }];
  let options = [Option<"rows", "rows", "int", "8", "slots of the step">];
}

def AttnFuseRope : AttnFusion<"attn-fuse-rope"> {
  let summary = "rotary embedding goes into the projection that it turns";
  let description = [{
    ```mlir
    %q = attn.linear %n by (%wq)
    %r = attn.rope %q (%p, %f) scale 1.0 head 64
    ```
    becomes
    ```mlir
    %r = attn.linear %n by (%wq) rope (%p, %f) scale 1.0 head 64 of [true]
    ```
    if nothing else reads %q.
  }];
}

def AttnFuseAppend : AttnFusion<"attn-fuse-append"> {
  let summary = "keys and values go from their projection into the cache";
  let description = [{
    ```mlir
    %q, %k, %v = attn.linear %n by (%wq, %wk, %wv) rope (%p, %f) ...
    %k1, %v1 = attn.append_kv %k, %v to (%kp, %vp) pages (%t, %p)
    ```
    becomes
    ```mlir
    %q, %k1, %v1 = attn.linear %n by (%wq, %wk, %wv) rope (%p, %f) ... append (%kp, %vp, %t)
    ```
    if nothing else reads %k and %v, the last two results of one product with the same positions.
  }];
}

def AttnFuseResidual : AttnFusion<"attn-fuse-residual"> {
  let summary = "products and experts are added to the residual stream where they are made";
  let description = [{
    ```mlir
    %y = attn.linear %a by (%w)
    %x1 = attn.add %x, %y
    ```
    becomes
    ```mlir
    %x1 = attn.linear %a by (%w) add (%x)
    ```
    if nothing else reads %y. The addend is not rounded then.
  }];
}

#endif
