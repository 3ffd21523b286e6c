// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights from files to where they are computed with: several threads read, a GPU is fed through pinned memory.
#pragma once
#include "model/Checkpoint.h"
#include <c10/core/Event.h>
#include <functional>
#include <optional>

namespace maskjit {

/// Called as bytes arrive, with those of all tensors of the checkpoint.
using LoadProgress = std::function<void(size_t done, size_t total)>;

class Transfer {
public:
  Transfer(const Checkpoint &checkpoint, at::Device device, LoadProgress progress);
  ~Transfer();
  Transfer(const Transfer &) = delete;

  /// A record as own memory of `dtype`, in its own shape, or in place of `into`, which has as many entries, contiguous.
  /// On a GPU it is complete for what follows on the current stream.
  at::Tensor copy(const TensorRecord &record, at::ScalarType dtype, at::Tensor into = {});

private:
  /// Memory that the GPU may still be reading from.
  struct Stage {
    at::Tensor pinned;
    std::optional<c10::Event> read;
  };

  void toHost(const TensorRecord &record, at::Tensor &out);
  void toDevice(const TensorRecord &record, at::Tensor &out);
  void count(size_t bytes);

  const Checkpoint &checkpoint;
  at::Device device;
  LoadProgress progress;
  size_t done = 0, total;
  std::vector<Stage> stages;
  size_t nextStage = 0;
};

} // namespace maskjit
