// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `attn` dialect: attention over tensors, which keys a query attends being a mask's business.
#ifndef MASKJIT_ATTN_TD
#define MASKJIT_ATTN_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::maskjit::attn";
  let summary = "attention on tensors, with a mask's symbol";
  let description = [{
    An operation takes tensors and names a mask (`mask.func`), whose parameters it passes by position. Lengths, batch
    and numbers of heads may be unknown (`?`), and are run-time values even where they are known; the head dimension is
    part of a kernel's structure.

    `lse` is the natural logarithm of a row's sum of exponentials, sink included. A row that attends no key has output
    0, lse = its sink, or -inf without sinks, and gradients 0.
  }];
  let dependentDialects = ["::maskjit::mask::MaskDialect"];
  let useDefaultAttributePrinterParser = 1;
}

// ---- schedules ----

def Attn_Kernel : I32EnumAttr<"Kernel", "a kernel that a schedule is for", [
    I32EnumAttrCase<"Forward", 0, "forward">, I32EnumAttrCase<"Decode", 1, "decode">,
    I32EnumAttrCase<"BackwardDq", 2, "backward_dq">, I32EnumAttrCase<"BackwardDkDv", 3, "backward_dkdv">]> {
  let cppNamespace = "::maskjit::attn";
  let genSpecializedAttr = 0;
}

def Attn_ScheduleAttr : AttrDef<Attn_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "how a kernel cuts its work";
  let description = [{
    ```mlir
    #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 2, warps = 4>
    ```
    `family` names the instructions (compiler/device/schedules.h). Rows of a query tile are (position, head) pairs of
    the query heads that share a key head. `stages` tiles are in flight.
  }];
  let parameters = (ins EnumParameter<Attn_Kernel>:$kernel, "::mlir::StringAttr":$family, "int":$tile_queries,
    "int":$tile_keys, "int":$stages, "int":$warps);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

// ---- operations ----

def Attn_Element : AnyTypeOf<[F16, BF16, F32]>;
def Attn_Tensor : 4DTensorOf<[Attn_Element]>;
def Attn_Lse : 3DTensorOf<[F32]>;
def Attn_Sinks : 1DTensorOf<[F32]>;
def Attn_Param : TensorOf<[I32, F32]>;
def Attn_Table : 2DTensorOf<[I32]>;
def Attn_Lengths : 1DTensorOf<[I32]>;

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, !listconcat([Pure, AttrSizedOperandSegments,
        DeclareOpInterfaceMethods<SymbolUserOpInterface>], traits)> {
  let hasVerifier = 1;
}

def Attn_ForwardOp : Attn_Op<"forward", [AllTypesMatch<["query", "out"]>]> {
  let summary = "attention of queries over contiguous keys";
  let description = [{
    `out = softmax(scale * q k^T, sinks) v` over the pairs that the mask attends. q, out [B, Hq, Sq, D]; k, v
    [B, Hkv, Sk, D]; Hq is a multiple of Hkv; sinks [Hq], logits that are not scaled and have no value; lse [B, Hq, Sq].

    ```mlir
    %out, %lse = attn.forward @causal scale 0.125 (%q, %k, %v) params (%offset) sinks (%s)
      : (tensor<?x64x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>), (tensor<?xi32>), (tensor<64xf32>) -> tensor<?x?x?xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$mask, F32Attr:$scale, Attn_Tensor:$query, Attn_Tensor:$key,
    Attn_Tensor:$value, Variadic<Attn_Param>:$params, Optional<Attn_Sinks>:$sinks,
    OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs Attn_Tensor:$out, Attn_Lse:$lse);
  let assemblyFormat = [{
    $mask `scale` $scale `(` $query `,` $key `,` $value `)` (`params` `(` $params^ `)`)? (`sinks` `(` $sinks^ `)`)?
    attr-dict `:` `(` type($query) `,` type($key) `,` type($value) `)` (`,` `(` type($params)^ `)`)?
    (`sinks` `(` type($sinks)^ `)`)? `->` type($lse)
  }];
}

def Attn_BackwardOp : Attn_Op<"backward", [AllTypesMatch<["query", "out", "dout", "dquery"]>,
    AllTypesMatch<["key", "dkey"]>, AllTypesMatch<["value", "dvalue"]>]> {
  let summary = "gradients of attn.forward";
  let description = [{
    From the inputs and results of `attn.forward` and the gradient of its output: the gradients of q, k, v and, where
    there are sinks, of the sinks. The gradient of lse is taken as 0. Sums have a fixed order: results repeat bit for
    bit.
  }];
  let arguments = (ins FlatSymbolRefAttr:$mask, F32Attr:$scale, Attn_Tensor:$query, Attn_Tensor:$key,
    Attn_Tensor:$value, Attn_Tensor:$out, Attn_Lse:$lse, Attn_Tensor:$dout, Variadic<Attn_Param>:$params,
    Optional<Attn_Sinks>:$sinks, OptionalAttr<Attn_ScheduleAttr>:$dq_schedule,
    OptionalAttr<Attn_ScheduleAttr>:$dkdv_schedule);
  let results = (outs Attn_Tensor:$dquery, Attn_Tensor:$dkey, Attn_Tensor:$dvalue, Optional<Attn_Sinks>:$dsinks);
  let assemblyFormat = [{
    $mask `scale` $scale `(` $query `,` $key `,` $value `,` $out `,` $lse `,` $dout `)`
    (`params` `(` $params^ `)`)? (`sinks` `(` $sinks^ `)`)?
    attr-dict `:` `(` type($query) `,` type($key) `,` type($value) `,` type($lse) `)` (`,` `(` type($params)^ `)`)?
    (`sinks` `(` type($sinks)^ `)`)? (`->` type($dsinks)^)?
  }];
}

def Attn_DecodeOp : Attn_Op<"decode", [AllTypesMatch<["query", "out"]>]> {
  let summary = "attention of few queries over a paged cache of keys";
  let description = [{
    As `attn.forward`, with k, v [pages, Hkv, page size, D]: position p of sequence b lies in page
    `table[b, p / page size]`, and positions at and after `kv_len[b]` do not exist. Keys are split over blocks; the
    number of splits is a run-time value.
  }];
  let arguments = (ins FlatSymbolRefAttr:$mask, F32Attr:$scale, Attn_Tensor:$query, Attn_Tensor:$key_pages,
    Attn_Tensor:$value_pages, Attn_Table:$table, Attn_Lengths:$kv_len, Variadic<Attn_Param>:$params,
    Optional<Attn_Sinks>:$sinks, OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs Attn_Tensor:$out, Attn_Lse:$lse);
  let assemblyFormat = [{
    $mask `scale` $scale `(` $query `,` $key_pages `,` $value_pages `)` `pages` `(` $table `,` $kv_len `)`
    (`params` `(` $params^ `)`)? (`sinks` `(` $sinks^ `)`)?
    attr-dict `:` `(` type($query) `,` type($key_pages) `,` type($value_pages) `)`
    `pages` `(` type($table) `,` type($kv_len) `)` (`,` `(` type($params)^ `)`)? (`sinks` `(` type($sinks)^ `)`)?
    `->` type($lse)
  }];
}

include "dialects/attn/AttnStep.td"
include "dialects/attn/AttnExperts.td"

#endif
