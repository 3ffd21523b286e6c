// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear layers whose weight is NF4: which kernel serves a size, and its file. Includes no MLIR header.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// A linear layer whose weight [features, in] is NF4 in blocks of 64, for a class of row counts; or the gradient of its
/// input, dX = dY W.
struct LinearNf4Spec {
  bool gradient = false;
  int in = 0;                // input features, a multiple of 64
  int features = 0;          // output features, a multiple of 8
  int rows = 0;              // the class: rows of a tile
  bool nested = false;       // absmax is quantized itself
  int multiprocessors = 132; // that the blocks of a launch shall fill
  DType dtype = DType::BF16;
  std::string arch;
};
/// The class that serves `rows` rows best. Errors: sizes, a dtype or an architecture without kernels.
Result<int> linearNf4Rows(const LinearNf4Spec &spec, int64_t rows);
/// All classes of an architecture, ascending.
std::vector<int> linearNf4RowClasses(const LinearNf4Spec &spec);
/// One entry. tileQueries are the features (of a gradient: input features) and tileKeys the rows of a cluster.
Result<CudaKernel> emitCuda(const LinearNf4Spec &spec);
Result<std::string> cudaKey(const LinearNf4Spec &spec);

} // namespace maskjit
