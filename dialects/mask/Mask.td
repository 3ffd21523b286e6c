// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `mask` dialect: a predicate over batch, head, query and key, and what is derived from it.
#ifndef MASKJIT_MASK_TD
#define MASKJIT_MASK_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/CallInterfaces.td"

def Mask_Dialect : Dialect {
  let name = "mask";
  let cppNamespace = "::maskjit::mask";
  let summary = "which keys a query attends";
  let description = [{
    A mask is a pure function of four coordinates and named parameters.

    - **Values.** `index` is an integer of the mathematical kind: no operation of this dialect overflows. The width
      that holds every intermediate value is proven when code is emitted (32 bits, else 64, else the mask is refused).
      `i1` is a truth value. `f32` occurs in score functions only, with `arith` and `math` operations.
    - **Coordinates.** `b` batch, `h` query head, `q` row of this call, `k` position in the sequence; b and h lie in
      [0, 65535], q and k in [0, 2^28).
    - **Parameters** are declared once, by the `params` attribute of a function, and read by name (`mask.param`,
      `mask.load`). Each may differ by batch. All functions of one mask carry the same declarations.
    - **Derived functions** are siblings of the predicate `@m` whose names extend its own; all are half-open ranges of
      positions, and a tile is never empty:

      | function | arguments | results | meaning |
      |---|---|---|---|
      | `@m` | b, h, q, k | i1 | does query q attend key k |
      | `@m.score` | s: f32, b, h, q, k | f32 | the score that replaces s, before the mask |
      | `@m.score_grad` | s: f32, b, h, q, k | f32 | d score / d s |
      | `@m.keys` | b, h, q0, q1 | begin, end | contains every key that any query of [q0, q1) attends |
      | `@m.full_keys` | b, h, q0, q1 | begin, end | every query of [q0, q1) attends every key of it |
      | `@m.queries` | b, h, k0, k1 | begin, end | contains every query that attends any key of [k0, k1) |
      | `@m.full_queries` | b, h, k0, k1 | begin, end | each query of it attends every key of [k0, k1) |
      | `@m.row` | b, h, q | begin, end | exactly the keys that q attends; absent where that is no interval |
      | `@m.column` | b, h, k | begin, end | exactly the queries that attend k; absent where that is no interval |
      | `@m.classify` | b, h, q0, q1, k0, k1 | any: i1, all: i1 | any = false: no pair attends; all = true: every pair attends |

      A range with end <= begin is empty. Where a function is absent, nothing is known: every key may be attended,
      no tile is full. Ranges may reach below 0 or past the length: callers clip.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

// ---- parameter declarations ----

def Mask_Axis : I32EnumAttr<"Axis", "what an array parameter is indexed by", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Batch", 1, "b">, I32EnumAttrCase<"Head", 2, "h">,
    I32EnumAttrCase<"Query", 3, "q">, I32EnumAttrCase<"Key", 4, "k">]> {
  let cppNamespace = "::maskjit::mask";
  let genSpecializedAttr = 0;
}

def Mask_ParamAttr : AttrDef<Mask_Dialect, "Param"> {
  let mnemonic = "decl";
  let summary = "declaration of one parameter";
  let description = [{
    ```mlir
    #mask.decl<name = "window", axis = none, min = 1, max = 268435456, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>
    ```
    `min` and `max` bound the values (inclusive; 0 for fp32 parameters). A sorted array does not descend along its axis.
    `defaultValue` is an i64 or f32 attribute, or absent: then a caller must give the value. A default of `max` for a
    length stands for "as many as there are".
  }];
  let parameters = (ins "::mlir::StringAttr":$name, EnumParameter<Mask_Axis>:$axis, "int64_t":$min, "int64_t":$max,
    "bool":$isStatic, "bool":$isSorted, "bool":$isFloat, OptionalParameter<"::mlir::TypedAttr">:$defaultValue);
  let assemblyFormat = "`<` struct(params) `>`";
}

// ---- operations ----

class Mask_Op<string mnemonic, list<Trait> traits = []> : Op<Mask_Dialect, mnemonic, traits>;

def Mask_FuncOp : Mask_Op<"func", [FunctionOpInterface, IsolatedFromAbove, Symbol]> {
  let summary = "a mask's predicate, its score, or a function derived from it";
  let description = [{
    ```mlir
    mask.func @causal(%b: index, %h: index, %q: index, %k: index) -> i1 {
      %0 = mask.cmp le, %k, %q
      mask.return %0 : i1
    }
    ```
    Declarations stand in the attribute `params`, an array of `#mask.decl`, in the order in which callers pass values.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
    OptionalAttr<ArrayAttr>:$params, OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The declaration of `name`, or null.
    ParamAttr lookupParam(::llvm::StringRef name);
    /// The mask this function belongs to: its name up to the first dot.
    ::llvm::StringRef getMaskName() { return getSymName().split('.').first; }
  }];
}

def Mask_ReturnOp : Mask_Op<"return", [Pure, HasParent<"FuncOp">, Terminator]> {
  let summary = "ends a mask.func";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let hasVerifier = 1;
}

def Mask_ConstantOp : Mask_Op<"constant", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "an integer or truth constant";
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs AnyTypeOf<[Index, I1]>:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
  let builders = [OpBuilder<(ins "int64_t":$value)>, OpBuilder<(ins "bool":$value)>];
  let extraClassDeclaration = [{
    static bool isBuildableWith(::mlir::Attribute value, ::mlir::Type type);
  }];
}

def Mask_ParamOp : Mask_Op<"param", [Pure]> {
  let summary = "the value of a scalar parameter for the function's sequence";
  let description = [{ `%w = mask.param "window" : index`. Of the function's batch `b`; f32 for an fp32 parameter. }];
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyTypeOf<[Index, F32]>:$result);
  let assemblyFormat = "$name `:` type($result) attr-dict";
  let hasVerifier = 1;
}

def Mask_LoadOp : Mask_Op<"load", [Pure]> {
  let summary = "an element of an array parameter";
  let description = [{
    `%d = mask.load "documents"[%i] : index` reads element min(max(i, 0), size - 1): any index is allowed, and a sorted
    array stays sorted over all integers. An array indexed by `b` is read with the function's own b.
  }];
  let arguments = (ins StrAttr:$name, Index:$position);
  let results = (outs AnyTypeOf<[Index, F32]>:$result);
  let assemblyFormat = "$name `[` $position `]` `:` type($result) attr-dict";
  let hasVerifier = 1;
}

def Mask_SearchOp : Mask_Op<"search", [Pure]> {
  let summary = "the first position of a sorted array whose element is at least a value";
  let description = [{
    `%i = mask.search "documents" ge %v` gives the least i in [0, size] with array[i] >= v (size: none). It is how
    `documents[k] == d` becomes an interval of k: [search d, search d + 1).
  }];
  let arguments = (ins StrAttr:$name, Index:$value);
  let results = (outs Index:$result);
  let assemblyFormat = "$name `ge` $value attr-dict";
  let hasVerifier = 1;
}

def Mask_FirstOp : Mask_Op<"first", [Pure]> {
  let summary = "where a sorted array, read as mask.load reads it, reaches a value";
  let description = [{
    `%i = mask.first "documents" ge %v within 536870912` is the least integer i with documents[i] >= v, so that
    `documents[x] >= v` is `x >= i`. As an index past the end reads the last element, it is the bound if no element
    reaches v; with `below` (where x may be negative) it is minus the bound if every element does. Derivations think in
    it and write it as mask.search and mask.select.
  }];
  let arguments = (ins StrAttr:$name, Index:$value, I64Attr:$bound, UnitAttr:$below);
  let results = (outs Index:$result);
  let assemblyFormat = "$name `ge` $value `within` $bound (`below` $below^)? attr-dict";
  let hasVerifier = 1;
}

def Mask_SizeOp : Mask_Op<"size", [Pure]> {
  let summary = "number of elements of an array parameter";
  let arguments = (ins StrAttr:$name);
  let results = (outs Index:$result);
  let assemblyFormat = "$name attr-dict";
  let hasVerifier = 1;
}

class Mask_IntBinary<string mnemonic, string what, list<Trait> traits = []>
    : Mask_Op<mnemonic, !listconcat([Pure], traits)> {
  let summary = what;
  let arguments = (ins Index:$lhs, Index:$rhs);
  let results = (outs Index:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
  let hasFolder = 1;
}
def Mask_AddOp : Mask_IntBinary<"add", "sum", [Commutative]>;
def Mask_SubOp : Mask_IntBinary<"sub", "difference">;
def Mask_MulOp : Mask_IntBinary<"mul", "product", [Commutative]>;
def Mask_FloorDivOp : Mask_IntBinary<"floordiv", "quotient rounded towards minus infinity; by 0: 0">;
def Mask_ModOp : Mask_IntBinary<"mod", "lhs - rhs * floordiv(lhs, rhs), of the sign of rhs; by 0: lhs">;
def Mask_MinOp : Mask_IntBinary<"min", "the lesser", [Commutative]>;
def Mask_MaxOp : Mask_IntBinary<"max", "the greater", [Commutative]>;

def Mask_Predicate : I32EnumAttr<"Predicate", "comparison", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>, I32EnumAttrCase<"lt", 2>, I32EnumAttrCase<"le", 3>,
    I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::maskjit::mask";
  let genSpecializedAttr = 0;
}
def Mask_PredicateAttr : EnumAttr<Mask_Dialect, Mask_Predicate, "predicate"> { let assemblyFormat = "$value"; }

def Mask_CmpOp : Mask_Op<"cmp", [Pure]> {
  let summary = "compares two integers";
  let description = [{ `%c = mask.cmp le, %k, %q` }];
  let arguments = (ins Mask_PredicateAttr:$predicate, Index:$lhs, Index:$rhs);
  let results = (outs I1:$result);
  let assemblyFormat = "`` $predicate `,` $lhs `,` $rhs attr-dict";
  let hasFolder = 1;
}

class Mask_BoolBinary<string mnemonic, string what> : Mask_Op<mnemonic, [Pure, Commutative]> {
  let summary = what;
  let arguments = (ins I1:$lhs, I1:$rhs);
  let results = (outs I1:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
  let hasFolder = 1;
}
def Mask_AndOp : Mask_BoolBinary<"and", "both">;
def Mask_OrOp : Mask_BoolBinary<"or", "either">;
def Mask_NotOp : Mask_Op<"not", [Pure]> {
  let summary = "the opposite";
  let arguments = (ins I1:$operand);
  let results = (outs I1:$result);
  let assemblyFormat = "$operand attr-dict";
  let hasFolder = 1;
}
def Mask_SelectOp : Mask_Op<"select", [Pure, AllTypesMatch<["ifTrue", "ifFalse", "result"]>]> {
  let summary = "one of two values";
  let arguments = (ins I1:$condition, AnyTypeOf<[Index, I1]>:$ifTrue, AnyTypeOf<[Index, I1]>:$ifFalse);
  let results = (outs AnyTypeOf<[Index, I1]>:$result);
  let assemblyFormat = "$condition `,` $ifTrue `,` $ifFalse `:` type($result) attr-dict";
  let hasFolder = 1;
}
def Mask_ToFloatOp : Mask_Op<"to_float", [Pure]> {
  let summary = "an integer rounded to fp32, for score functions";
  let arguments = (ins Index:$operand);
  let results = (outs F32:$result);
  let assemblyFormat = "$operand attr-dict";
}

#endif
