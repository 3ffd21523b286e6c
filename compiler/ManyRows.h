// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of the small operations that stand between a layer's products when there are many rows: prefill, training.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// ResidualNorm: a residual sum and the norm behind it; `size` is the features of a row. Turn: rope; `size` is the head
/// dimension.
enum class ManyRowsKind { ResidualNorm, Turn };
struct ManyRowsSpec {
  ManyRowsKind kind = ManyRowsKind::ResidualNorm;
  int size = 0; // features: a multiple of 4, at most 8,192; a head: a multiple of 16
  DType dtype = DType::BF16;
  std::string arch;
};
/// One entry, see compiler/device/many_rows.cuh. Errors: sizes or a dtype without kernels.
Result<CudaKernel> emitCuda(const ManyRowsSpec &spec);
Result<std::string> cudaKey(const ManyRowsSpec &spec);

} // namespace maskjit
