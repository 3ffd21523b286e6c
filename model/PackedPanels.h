// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Panels of packed weights on the CPU, made from their bytes without a dense copy.
#pragma once
#include "model/Matrix.h"
#include "model/RowKernel.h"

namespace maskjit {

/// Matrix `index` of a packed stack as RowKernel reads it: [in, out], or `transposed` [out, in]. The weight has to
/// outlive the reader.
PanelReader packedPanels(const Matrix &weight, int64_t index, bool transposed);

} // namespace maskjit
