// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C++ classes of the `attn` dialect (generated from Attn.td).
#pragma once
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/BuiltinTypes.h"

#include "dialects/attn/AttnDialect.h.inc"
#include "dialects/attn/AttnEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/attn/AttnAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/attn/AttnOps.h.inc"
