// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One piece after the other: take, wait for its last copy, fill, copy, give back.
#include "model/PinnedRing.h"
#include "runtime/cpu/ThreadPool.h"
#include <ATen/Functions.h>
#include <algorithm>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <exception>

namespace maskjit {

PinnedRing::PinnedRing(at::Device device) : device(device) {
  const c10::cuda::CUDAGuard guard(device);
  const int count = 2 * std::min(threadCount(), kMostThreads);
  pinned = at::empty({count * kPiece}, at::TensorOptions(at::kByte).pinned_memory(true));
  pieces.resize(count);
  for (int i = 0; i < count; ++i) {
    pieces[i].memory = static_cast<char *>(pinned.mutable_data_ptr()) + i * kPiece;
    cudaEvent_t event;
    C10_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    pieces[i].read = event;
    waiting.push_back(&pieces[i]);
  }
}

PinnedRing::~PinnedRing() {
  for (Piece &piece : pieces) {
    cudaEventSynchronize(static_cast<cudaEvent_t>(piece.read));
    cudaEventDestroy(static_cast<cudaEvent_t>(piece.read));
  }
}

void PinnedRing::send(void *to, int64_t bytes, const std::function<void(int64_t, int64_t, char *)> &fill, int64_t begin,
                      void *stream) {
  Piece *piece;
  {
    std::unique_lock lock(mutex);
    freed.wait(lock, [&] { return !waiting.empty(); });
    piece = waiting.front();
    waiting.pop_front();
  }
  const auto giveBack = [&] {
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(piece);
    }
    freed.notify_one();
  };
  try {
    const auto event = static_cast<cudaEvent_t>(piece->read);
    const int64_t count = std::min(kPiece, bytes - begin);
    C10_CUDA_CHECK(cudaEventSynchronize(event)); // one that was never recorded is complete
    fill(begin, count, piece->memory);
    C10_CUDA_CHECK(cudaMemcpyAsync(static_cast<char *>(to) + begin, piece->memory, count, cudaMemcpyHostToDevice,
                                   static_cast<cudaStream_t>(stream)));
    C10_CUDA_CHECK(cudaEventRecord(event, static_cast<cudaStream_t>(stream)));
  } catch (...) {
    giveBack();
    throw;
  }
  giveBack();
}

void PinnedRing::copy(void *to, int64_t bytes, const std::function<void(int64_t, int64_t, char *)> &fill) {
  const c10::cuda::CUDAGuard guard(device);
  const int index = c10::cuda::current_device(); // a device without a number is the current one
  void *const stream = c10::cuda::getCurrentCUDAStream().stream();
  std::exception_ptr failure;
  std::mutex failed;
  parallelFor((bytes + kPiece - 1) / kPiece,
              [&](int64_t first, int64_t last) {
                try {
                  C10_CUDA_CHECK(cudaSetDevice(index)); // of this thread
                  for (int64_t i = first; i < last; ++i)
                    send(to, bytes, fill, i * kPiece, stream);
                } catch (...) {
                  const std::lock_guard lock(failed);
                  failure = std::current_exception();
                }
              },
              kMostThreads);
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace maskjit
