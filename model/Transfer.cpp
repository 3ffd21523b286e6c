// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads pieces of a file on all threads, straight into place where the dtype allows.
#include "model/Transfer.h"
#include "runtime/cpu/ThreadPool.h"
#include <ATen/Functions.h>
#include <algorithm>
#include <exception>
#include <mutex>
#include <sys/mman.h>

namespace maskjit {
namespace {

constexpr int64_t kPiece = int64_t(2) << 20; // bytes that a thread reads at a time

/// Large pages: the first touch of fresh memory otherwise costs as much as the copy into it.
void preferLargePages(const at::Tensor &memory) {
  constexpr uintptr_t kLarge = uintptr_t(2) << 20;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory.const_data_ptr()), end = begin + memory.nbytes();
  const uintptr_t first = (begin + kLarge - 1) / kLarge * kLarge, last = end / kLarge * kLarge;
  if (first < last)
    madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE); // refused: ordinary pages
}

/// Runs `piece` on [begin, end) of `bytes`, on all threads; an exception of one is thrown here.
void inPieces(int64_t bytes, const std::function<void(int64_t begin, int64_t end)> &piece) {
  std::exception_ptr failure;
  std::mutex mutex;
  parallelFor((bytes + kPiece - 1) / kPiece, [&](int64_t first, int64_t last) {
    try {
      for (int64_t i = first; i < last; ++i)
        piece(i * kPiece, std::min((i + 1) * kPiece, bytes));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
  });
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace

Transfer::Transfer(const Checkpoint &checkpoint, at::Device device, LoadProgress progress)
    : checkpoint(checkpoint), device(device), progress(std::move(progress)), total(checkpoint.bytes()) {}

at::Tensor Transfer::copy(const TensorRecord &record, at::ScalarType dtype, at::Tensor into) {
  if (!into.defined())
    into = at::empty(record.shape, at::TensorOptions(dtype).device(device));
  TORCH_CHECK(into.is_contiguous() && into.numel() * int64_t(tensorOf(record).element_size()) == int64_t(record.bytes),
              "a record of ", record.bytes, " bytes does not fill ", into.sizes());
  into.is_cpu() ? toHost(record, into) : toDevice(record, into);
  count(record.bytes);
  return into;
}

at::Tensor Transfer::take(const TensorRecord &record, at::ScalarType dtype) {
  const at::Tensor stored = tensorOf(record);
  const bool aligned = reinterpret_cast<uintptr_t>(record.data) % stored.element_size() == 0;
  if (!device.is_cpu() || stored.scalar_type() != dtype || !aligned || record.bytes == 0)
    return copy(record, dtype);
  count(record.bytes);
  return checkpoint.view(record);
}

void Transfer::toHost(const TensorRecord &record, at::Tensor &out) {
  const at::Tensor view = tensorOf(record);
  preferLargePages(out);
  if (out.scalar_type() == view.scalar_type()) {
    char *to = static_cast<char *>(out.mutable_data_ptr());
    inPieces(record.bytes,
             [&](int64_t begin, int64_t end) { checkpoint.copyBytes(record, begin, end - begin, to + begin); });
    return;
  }
  const at::Tensor flat = out.view({-1});
  const int64_t width = view.element_size();
  inPieces(record.bytes, [&](int64_t begin, int64_t end) {
    thread_local std::vector<char> piece(kPiece);
    checkpoint.copyBytes(record, begin, end - begin, piece.data());
    const int64_t count = (end - begin) / width;
    flat.narrow(0, begin / width, count).copy_(at::from_blob(piece.data(), {count}, view.scalar_type()));
  });
}

void Transfer::toDevice(const TensorRecord &record, at::Tensor &out) {
  const at::ScalarType stored = tensorOf(record).scalar_type();
  const at::Tensor raw = out.scalar_type() == stored ? out : at::empty(out.sizes(), out.options().dtype(stored));
  if (!ring)
    ring = std::make_unique<PinnedRing>(device);
  ring->copy(raw.mutable_data_ptr(), record.bytes,
             [&](int64_t begin, int64_t count, char *to) { checkpoint.copyBytes(record, begin, count, to); });
  if (!raw.is_same(out))
    out.copy_(raw);
}

void Transfer::count(size_t bytes) {
  done += bytes;
  if (progress)
    progress(done, total);
}

} // namespace maskjit
