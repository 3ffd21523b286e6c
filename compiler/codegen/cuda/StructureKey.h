// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the keys of all kernels hold: device headers, options, generator.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit::cuda {

/// For NVRTC, beside the architecture.
const std::vector<std::string> &compileOptions();
/// As device headers name it: "bf16".
const char *deviceType(DType dtype);
/// Hex digest of `structure` together with the device headers, the options and `generator`, the version of what writes
/// the file.
std::string structureKey(int generator, const std::string &structure);

} // namespace maskjit::cuda
