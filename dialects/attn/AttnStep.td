// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of a decode step: one new token for each of a batch of sequences, from its embedding to the next draw.
#ifndef MASKJIT_ATTN_STEP_TD
#define MASKJIT_ATTN_STEP_TD

// Included by Attn.td, whose definitions it uses.

def Attn_Rows : 2DTensorOf<[F16, BF16, F32]>;
def Attn_WideRows : 2DTensorOf<[F32]>;
def Attn_Matrix : 2DTensorOf<[F16, BF16]>;
def Attn_Vector : 1DTensorOf<[F16, BF16, F32]>;
def Attn_Ids : 2DTensorOf<[I32]>;
def Attn_Pages : 4DTensorOf<[F16, BF16]>;

class Attn_StepOp<string mnemonic, list<Trait> traits = []> : Op<Attn_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

def Attn_InputOp : Op<Attn_Dialect, "input", [Pure]> {
  let summary = "a tensor that the caller binds by name: a weight, a cache, a state";
  let description = [{
    ```mlir
    %w = attn.input "model.layers.0.self_attn.q_proj.weight" : tensor<4096x2880xbf16>
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyRankedTensor:$tensor);
  let assemblyFormat = "$name attr-dict `:` type($tensor)";
}

def Attn_EmbedOp : Attn_StepOp<"embed"> {
  let summary = "the beginning of a step: embeddings, positions, lengths";
  let description = [{
    Row i is `table[tokens[i]]`; its position is `written[i]`, the number of keys that sequence i has so far; with the
    new one it has `lengths[i]`. A slot that is not `active` has position -1 and length 0: nothing of it is appended,
    attended or drawn.

    ```mlir
    %x, %p, %n = attn.embed %tokens, %table, %written, %active
      : (tensor<?xi32>, tensor<201088x2880xbf16>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x2880xf32>, tensor<?xi32>, tensor<?xi32>)
    ```
  }];
  let arguments = (ins Attn_Lengths:$tokens, Attn_Matrix:$table, Attn_Lengths:$written, Attn_Lengths:$active);
  let results = (outs Attn_WideRows:$rows, Attn_Lengths:$positions, Attn_Lengths:$lengths);
  let assemblyFormat = [{ $tokens `,` $table `,` $written `,` $active attr-dict `:` functional-type(operands, results) }];
}

def Attn_RmsNormOp : Attn_StepOp<"rms_norm"> {
  let summary = "rows over their root mean square, times a weight";
  let description = [{
    `out = x / sqrt(mean(x^2) + eps) * weight`, in fp32, rounded to the type of the result.

    ```mlir
    %n = attn.rms_norm %x, %w eps 1.0e-05 : (tensor<?x2880xf32>, tensor<2880xbf16>) -> tensor<?x2880xbf16>
    ```
  }];
  let arguments = (ins Attn_WideRows:$input, Attn_Vector:$weight, F32Attr:$eps);
  let results = (outs Attn_Rows:$out);
  let assemblyFormat = "$input `,` $weight `eps` $eps attr-dict `:` functional-type(operands, results)";
}

def Attn_Nf4Op : Attn_StepOp<"nf4"> {
  let summary = "the matrix that NF4 codes stand for, which is never made: products read the codes";
  let description = [{
    Value (i, j) is `table[code] * absmax[i, j / 64]` rounded to the type of the result; two codes a byte, the even j in
    the high nibble. Where absmax is quantized itself its numbers are
    `nested_table[absmax] * nested_absmax[block / 256] + offset`.

    ```mlir
    %w = attn.nf4 %codes, %table, %absmax nested (%nested_table, %nested_absmax, %offset)
      : (tensor<4096x1440xi8>, tensor<16xf32>, tensor<4096x45xi8>, tensor<256xf32>, tensor<720xf32>, tensor<1xf32>)
        -> tensor<4096x2880xbf16>
    ```
  }];
  let arguments = (ins 2DTensorOf<[I8]>:$codes, 1DTensorOf<[F32]>:$table, 2DTensorOf<[I8, F32]>:$absmax,
    Variadic<1DTensorOf<[F32]>>:$nested);
  let results = (outs Attn_Matrix:$matrix);
  let assemblyFormat = [{
    $codes `,` $table `,` $absmax (`nested` `(` $nested^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
}

def Attn_LinearOp : Attn_StepOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "rows times the transpose of one or more matrices";
  let description = [{
    A result for each matrix [out, in]: `x W^T + bias`, accumulated in fp32. What its neighbours do may be done here,
    in this order:

    - `norm(%g) eps`: the input is `rms_norm(x, g)`. The product is scaled by a row's root mean square afterwards, so
      that the input is read once; this is refused for fp16, where x * g could overflow.
    - `rope(%positions, %frequencies) scale s head d of [..]`: results with `true` are turned as `attn.rope` does.
    - `append(%k, %v, %table)`: the last two results are written to the cache as `attn.append_kv` does, and the pages
      stand in their place.
    - `add(%r)`: the only result is added to r, in fp32.

    `lora(%a, ..) (%b, ..) of [..]`: a low-rank adapter of the matrices with `true`, each of which becomes W + B A, with
    A [r, in] and B [out, r], the adapter's scale in it; before everything in the list but the norm. r is the same for
    all, a multiple of 16: factors of another rank are padded with zeros.

    ```mlir
    %q, %kp, %vp = attn.linear %x norm (%g) eps 1.0e-05 by (%wq, %wk, %wv) bias (%bq, %bk, %bv)
      rope (%positions, %frequencies) scale 1.34657359 head 64 of [true, true, false] append (%k, %v, %table) : ...
    ```
  }];
  let arguments = (ins Attn_Rows:$input, Optional<Attn_Vector>:$norm, OptionalAttr<F32Attr>:$eps,
    Variadic<Attn_Matrix>:$weights, Variadic<Attn_Vector>:$biases, Optional<Attn_Lengths>:$positions,
    Optional<Attn_Vector>:$frequencies, OptionalAttr<F32Attr>:$rope_scale, OptionalAttr<I32Attr>:$head_dim,
    OptionalAttr<DenseBoolArrayAttr>:$rotate, Optional<Attn_Pages>:$key_pages, Optional<Attn_Pages>:$value_pages,
    Optional<Attn_Table>:$table, Optional<Attn_WideRows>:$residual, Variadic<Attn_Matrix>:$lora_a,
    Variadic<Attn_Matrix>:$lora_b, OptionalAttr<DenseBoolArrayAttr>:$adapted);
  let results = (outs Variadic<AnyTypeOf<[Attn_Rows, Attn_Pages]>>:$outs);
  let assemblyFormat = [{
    $input (`norm` `(` $norm^ `)` `eps` $eps)? `by` `(` $weights `)`
    (`lora` `(` $lora_a^ `)` `(` $lora_b `)` `of` $adapted)? (`bias` `(` $biases^ `)`)?
    (`rope` `(` $positions^ `,` $frequencies `)` `scale` $rope_scale `head` $head_dim `of` $rotate)?
    (`append` `(` $key_pages^ `,` $value_pages `,` $table `)`)? (`add` `(` $residual^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def Attn_RopeOp : Attn_StepOp<"rope", [AllTypesMatch<["input", "out"]>]> {
  let summary = "rotary position embedding";
  let description = [{
    Each row is heads of `head` features; in each the pairs (x[i], x[i + head / 2]) are turned by the angle
    `position * frequencies[i]` and stretched by `scale`, YaRN's attention factor.

    ```mlir
    %r = attn.rope %q (%positions, %frequencies) scale 1.34657359 head 64 : tensor<?x4096xbf16>, tensor<?xi32>, tensor<32xf32>
    ```
  }];
  let arguments = (ins Attn_Rows:$input, Attn_Lengths:$positions, Attn_Vector:$frequencies, F32Attr:$scale,
    I32Attr:$head);
  let results = (outs Attn_Rows:$out);
  let assemblyFormat = [{
    $input `(` $positions `,` $frequencies `)` `scale` $scale `head` $head attr-dict
    `:` type($input) `,` type($positions) `,` type($frequencies)
  }];
}

def Attn_AppendKvOp : Attn_StepOp<"append_kv", [AllTypesMatch<["key_pages", "new_key_pages"]>,
    AllTypesMatch<["value_pages", "new_value_pages"]>]> {
  let summary = "one key and one value a sequence into a paged cache";
  let description = [{
    Rows of k and v are heads [Hkv, D]; those of sequence b go to place `positions[b] mod page size` of page
    `table[b, positions[b] / page size]`. A row whose position is -1 goes nowhere. The results are the caches with the
    new rows, in the memory of the old ones.

    ```mlir
    %k1, %v1 = attn.append_kv %k, %v to (%kp, %vp) pages (%table, %positions) : ...
    ```
  }];
  let arguments = (ins Attn_Rows:$key, Attn_Rows:$value, Attn_Pages:$key_pages, Attn_Pages:$value_pages,
    Attn_Table:$table, Attn_Lengths:$positions);
  let results = (outs Attn_Pages:$new_key_pages, Attn_Pages:$new_value_pages);
  let assemblyFormat = [{
    $key `,` $value `to` `(` $key_pages `,` $value_pages `)` `pages` `(` $table `,` $positions `)` attr-dict
    `:` `(` type($key) `,` type($value) `)` `to` `(` type($key_pages) `,` type($value_pages) `)`
    `pages` `(` type($table) `,` type($positions) `)`
  }];
}

def Attn_ReshapeOp : Attn_StepOp<"reshape"> {
  let summary = "the same elements in the same order under another shape; no kernel";
  let description = [{
    ```mlir
    %q4 = attn.reshape %q : tensor<?x4096xbf16> -> tensor<?x64x1x64xbf16>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($out)";
}

def Attn_AddOp : Attn_StepOp<"add", [AllTypesMatch<["residual", "out"]>]> {
  let summary = "a residual stream in fp32 plus rows";
  let description = [{
    ```mlir
    %x1 = attn.add %x, %y : tensor<?x2880xf32>, tensor<?x2880xbf16>
    ```
  }];
  let arguments = (ins Attn_WideRows:$residual, Attn_Rows:$rows);
  let results = (outs Attn_WideRows:$out);
  let assemblyFormat = "$residual `,` $rows attr-dict `:` type($residual) `,` type($rows)";
}

def Attn_RouteOp : Attn_StepOp<"route"> {
  let summary = "the experts of each row and their scores";
  let description = [{
    The `top` largest of `x W^T + bias`, computed in fp32, best first; of equal ones the lower number. Scores are the
    softmax over the chosen. A row whose position is -1 has expert -1 and score 0 throughout.

    `norm(%g) eps`: the input is `rms_norm(x, g)`, which is then the third result too, rounded to its type.

    ```mlir
    %e, %s, %n = attn.route %x norm (%g) eps 1.0e-05 by (%w, %b) top 4 at (%positions) : ...
    ```
  }];
  let arguments = (ins Attn_WideRows:$input, Optional<Attn_Vector>:$norm, OptionalAttr<F32Attr>:$eps,
    Attn_Matrix:$weight, Attn_Vector:$bias, Attn_Lengths:$positions, I32Attr:$top);
  let results = (outs Attn_Ids:$experts, Attn_WideRows:$scores, Optional<Attn_Rows>:$normal);
  let assemblyFormat = [{
    $input (`norm` `(` $norm^ `)` `eps` $eps)? `by` `(` $weight `,` $bias `)` `top` $top `at` `(` $positions `)`
    attr-dict `:` functional-type(operands, results)
  }];
}

def Attn_SampleOp : Attn_StepOp<"sample"> {
  let summary = "the next token of each row, and its log-probability";
  let description = [{
    Draws from softmax(logits / temperature) after the filters of the call (temperature, top-k, top-p, min-p and, with
    `seen`, the repetition penalty: run-time values) at the Philox number of (seed, sequence, position + 1). The
    log-probability is that of softmax(logits / temperature) without filters or penalty. The drawn token takes the place
    of the row's entry in `tokens`, its length that in `written`, both in their memory; rows at position -1 keep theirs.

    ```mlir
    %t, %n, %d, %p = attn.sample %logits at (%positions, %sequences) into (%tokens, %written) : ...
    ```
  }];
  let arguments = (ins Attn_WideRows:$logits, Attn_Lengths:$positions, 1DTensorOf<[I64]>:$sequences,
    Attn_Lengths:$tokens, Attn_Lengths:$written, Optional<2DTensorOf<[I8]>>:$seen);
  let results = (outs Attn_Lengths:$new_tokens, Attn_Lengths:$new_written, Attn_Lengths:$drawn,
    1DTensorOf<[F32]>:$log_probs);
  let assemblyFormat = [{
    $logits `at` `(` $positions `,` $sequences `)` `into` `(` $tokens `,` $written `)` (`seen` `(` $seen^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
}

#endif
