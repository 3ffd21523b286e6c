// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mixture of experts; its weights stay as they are held, in 4 or 16 bits.
#ifndef MASKJIT_ATTN_EXPERTS_TD
#define MASKJIT_ATTN_EXPERTS_TD

// Included by Attn.td, whose definitions it uses.

def Attn_ExpertsKernel : I32EnumAttr<"ExpertsKernel", "how many launches, and for how many tokens", [
    I32EnumAttrCase<"Rows", 0, "rows">, I32EnumAttrCase<"Grouped", 1, "grouped">]> {
  let cppNamespace = "::maskjit::attn";
  let genSpecializedAttr = 0;
}

def Attn_ExpertsScheduleAttr : AttrDef<Attn_Dialect, "ExpertsSchedule"> {
  let mnemonic = "experts_schedule";
  let summary = "how the products of experts are cut";
  let description = [{
    ```mlir
    #attn.experts_schedule<kernel = grouped, family = "Sm90", tile_tokens = 144, tile_rows = 128, stages = 3, warps = 8>
    ```
    `rows`: at most `tile_tokens` tokens, both products in one launch, slots of `tile_rows` weight rows in a ring of
    `stages`. `grouped`: tiles of `tile_tokens` tokens of one expert and `tile_rows` weight rows, `stages` of 64 columns
    in flight. `family` names the instructions (compiler/device/experts_schedules.h).
  }];
  let parameters = (ins EnumParameter<Attn_ExpertsKernel>:$kernel, "::mlir::StringAttr":$family, "int":$tile_tokens,
    "int":$tile_rows, "int":$stages, "int":$warps);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Attn_ExpertFactors : 3DTensorOf<[F16, BF16]>;

def Attn_ExpertsOp : Op<Attn_Dialect, "experts", [Pure, AttrSizedOperandSegments]> {
  let summary = "gated products of the experts that each token is routed to";
  let description = [{
    `out[i] = sum over s of scores[i, s] * down_e(swiglu(gate_up_e(x[i])))` with `e = chosen[i, s]`, plus `residual[i]`
    where there is one. x, of n features; chosen and scores [tokens, top]; an expert below 0 adds nothing. Rows of
    gate_up alternate: gate, up. `swiglu(g, u) = g sigmoid(alpha g) (u + 1)` with g at most `limit`, u within +-`limit`.

    A matrix of `rows` by `columns` an expert comes in MXFP4, (blocks [experts, rows, columns / 32, 16], two values a
    byte, the low nibble first; scales [experts, rows, columns / 32], a power of two each; bias [experts, rows]), or
    dense, (weights [experts, columns, rows] of x's type; bias), or in NF4, (codes [experts, rows, columns / 2]; table
    [16]; absmax [experts, rows, columns / 64]; bias). Where absmax is quantized itself the bias comes after nested_table
    [256], nested_absmax [experts, blocks / 256 rounded up] and nested_offset [experts]; what a weight is worth says
    attn.nf4.

    `lora_gate_up(%a, %b)`, `lora_down(%a, %b)`: a low-rank adapter of that matrix of each expert, W + B A, with A
    [experts, r, columns] and B [experts, rows, r], the adapter's scale in it. r is the same for both, a multiple of 16:
    factors of another rank are padded with zeros.

    `class` says for how many tokens a kernel is made, not how many there are: 4 or 8, the most of a single launch, else
    the tokens of one expert that a tile holds. Dense experts and those in NF4 have class 8 alone; more tokens are its
    groups.

    ```mlir
    %y = attn.experts %x to (%chosen, %scores) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2) add (%r)
      alpha 1.702 limit 7.0 class 8 : (tensor<?x2880xbf16>, tensor<?x4xi32>, ...) -> tensor<?x2880xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[F16, BF16]>:$input, 2DTensorOf<[I32]>:$chosen, 2DTensorOf<[F32]>:$scores,
    Variadic<AnyRankedTensor>:$gate_up, Variadic<AnyRankedTensor>:$down, Optional<2DTensorOf<[F32]>>:$residual,
    Variadic<Attn_ExpertFactors>:$gate_up_lora, Variadic<Attn_ExpertFactors>:$down_lora, F32Attr:$alpha, F32Attr:$limit,
    I32Attr:$row_class, OptionalAttr<Attn_ExpertsScheduleAttr>:$schedule);
  let results = (outs 2DTensorOf<[F32]>:$out);
  let assemblyFormat = [{
    $input `to` `(` $chosen `,` $scores `)` `gate_up` `(` $gate_up `)` `down` `(` $down `)` (`add` `(` $residual^ `)`)?
    (`lora_gate_up` `(` $gate_up_lora^ `)`)? (`lora_down` `(` $down_lora^ `)`)?
    `alpha` $alpha `limit` $limit `class` $row_class attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t hidden() { return getInput().getType().getDimSize(1); }
    int64_t intermediate(); // -1 if the down matrix has no rank that a format has
    /// Whether the weights are 16-bit numbers, or NF4; else they are MXFP4.
    bool dense() { return getGateUp().size() == 2; }
    bool nf4() { return getGateUp().size() == 4 || getGateUp().size() == 7; }
    int64_t top() { return getChosen().getType().getDimSize(1); }
  }];
}

#endif
