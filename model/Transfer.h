// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights from files to where they are computed with: views of the files on the CPU where the dtype allows, else
// several threads read; a GPU is fed through pinned memory.
#pragma once
#include "model/Checkpoint.h"
#include "model/PinnedRing.h"
#include <functional>
#include <memory>

namespace maskjit {

/// Called as bytes arrive, with those of all tensors of the checkpoint.
using LoadProgress = std::function<void(size_t done, size_t total)>;

class Transfer {
public:
  Transfer(const Checkpoint &checkpoint, at::Device device, LoadProgress progress);
  Transfer(const Transfer &) = delete;

  /// A record as own memory of `dtype`, in its own shape, or in place of `into`, which has as many entries, contiguous.
  /// On a GPU it is complete for what follows on the current stream.
  at::Tensor copy(const TensorRecord &record, at::ScalarType dtype, at::Tensor into = {});
  /// The same, but on the CPU a view of the file where dtype and alignment are those of a tensor: no byte is read.
  at::Tensor take(const TensorRecord &record, at::ScalarType dtype);

private:
  void toHost(const TensorRecord &record, at::Tensor &out);
  void toDevice(const TensorRecord &record, at::Tensor &out);
  void count(size_t bytes);

  const Checkpoint &checkpoint;
  at::Device device;
  LoadProgress progress;
  size_t done = 0, total;
  std::unique_ptr<PinnedRing> ring; // of a GPU, from the first copy on
};

} // namespace maskjit
