// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pinned memory that several threads fill in turns and a GPU reads from: how large tensors go to a device.
#pragma once
#include <ATen/core/Tensor.h>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace maskjit {

/// A bounded number of pieces. A thread takes the one whose copy began longest ago, fills it and sends it off, so
/// reading never waits for a copy while another piece is free.
class PinnedRing {
public:
  static constexpr int64_t kPiece = int64_t(4) << 20; // bytes: a page-cache read and a bus transfer at full rate
  static constexpr int kMostThreads = 16;             // together 128 MiB of pinned memory

  explicit PinnedRing(at::Device device);
  /// Waits for the copies.
  ~PinnedRing();
  PinnedRing(const PinnedRing &) = delete;

  /// Copies `bytes` to `device` memory on the current stream: `fill` writes bytes [begin, begin + count) of them to
  /// `to`, on several threads at once. What it throws is thrown here, when no thread is at work any more.
  void copy(void *to, int64_t bytes, const std::function<void(int64_t begin, int64_t count, char *to)> &fill);

private:
  struct Piece {
    char *memory;
    void *read = nullptr; // event: the GPU has read it
  };
  void send(void *to, int64_t bytes, const std::function<void(int64_t, int64_t, char *)> &fill, int64_t begin,
            void *stream);

  at::Device device;
  at::Tensor pinned;
  std::vector<Piece> pieces;
  std::mutex mutex;
  std::condition_variable freed;
  std::deque<Piece *> waiting; // in the order of their copies
};

} // namespace maskjit
