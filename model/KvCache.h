// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values of the tokens seen so far, in pages.
#pragma once
#include "model/Config.h"
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit {

/// Per layer k, v [pages, Hkv, pageSize, D]; one page a sequence for the time being, read through the same table as many.
struct KvCache {
  std::vector<at::Tensor> k, v;
  at::Tensor pageTable; // [B, pages a sequence] int32
  at::Tensor length;    // [B] int32: keys written
  at::Tensor leftPad;   // [B] int32: padding at the start of each row
  int64_t capacity = 0; // tokens a sequence
  int64_t written = 0;  // the longest length, known on the host

  KvCache(const Config &config, int64_t batch, int64_t capacity, at::Device device, at::ScalarType dtype);
};

} // namespace maskjit
