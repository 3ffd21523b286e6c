// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Single weights out of a checkpoint, in whichever form it holds them; what is wrong is noted in the checkpoint.
#pragma once
#include "model/Checkpoint.h"
#include "model/Matrix.h"

namespace maskjit {

class WeightReader {
public:
  /// `dtype`: of weights that are stored as plain numbers.
  WeightReader(Checkpoint &checkpoint, at::Device device, at::ScalarType dtype)
      : checkpoint(checkpoint), device(device), dtype(dtype) {}

  at::Tensor tensor(const std::string &name, const std::vector<int64_t> &shape);
  /// Plain [out, in] or [E, in, out], MXFP4 (blocks and scales beside), or NF4 with its state beside.
  Matrix matrix(const std::string &name, const std::vector<int64_t> &shape);

private:
  Matrix mxfp4(const std::string &name, const std::vector<int64_t> &shape);
  Matrix nf4(const std::string &name, const std::vector<int64_t> &shape);

  Checkpoint &checkpoint;
  at::Device device;
  at::ScalarType dtype;
};

} // namespace maskjit
