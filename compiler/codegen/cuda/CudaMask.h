// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask and what is derived from it as the C++ struct that the device headers ask (compiler/device/attention/mask.cuh).
#pragma once
#include "compiler/Result.h"
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace maskjit::cuda {

struct MaskStruct {
  std::string text;       // from `struct Mask {` to `};`, with a line that names the mask and where it was written
  bool usesHead = false;  // Mask::kUsesHead: a launcher sizes its grid by it
  bool intervals = false; // Mask::kIntervals
  bool scores = false;    // Mask::kHasScore
  size_t params = 0;      // declared ones, read or not
};

/// Of the mask `name` in `module`; what is not derived there gets the answer that is always right.
Result<MaskStruct> printMaskStruct(mlir::ModuleOp module, llvm::StringRef name);

} // namespace maskjit::cuda
