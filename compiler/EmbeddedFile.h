// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that CMake puts into the library: device headers, shipped masks, the CPU target's bitcode.
#pragma once
#include <cstddef>

namespace maskjit {

/// One file. `data` holds `size` bytes and a zero after them.
struct EmbeddedFile {
  const char *name; // without folder
  const char *data;
  size_t size;
};

} // namespace maskjit
