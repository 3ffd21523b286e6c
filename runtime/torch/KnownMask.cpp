// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The process's table of masks and the device copies of their defaults.
#include "runtime/torch/KnownMask.h"
#include "runtime/cache/OnceMap.h"
#include <ATen/ops/from_blob.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <cstring>
#include <string>

namespace maskjit::torch_ops {

KnownMask::KnownMask(Mask mask) : parsed(std::move(mask)) {
  for (const ParamInfo &param : parsed.params()) {
    const double value = param.defaultValue.value_or(0);
    int32_t word;
    if (param.isFloat) {
      const float number = static_cast<float>(value);
      std::memcpy(&word, &number, sizeof word);
    } else
      word = static_cast<int32_t>(value);
    words.push_back(word);
  }
}

KnownMask &KnownMask::find(std::string_view reference) {
  // Never destroyed: device memory must not be freed after the CUDA runtime has gone.
  static auto &known = *new OnceMap<std::string, std::shared_ptr<KnownMask>, std::hash<std::string>>;
  auto found = known.get(std::string(reference), [&]() -> Result<std::shared_ptr<KnownMask>> {
    auto mask = Mask::find(reference);
    if (!mask)
      return mask.error();
    return std::make_shared<KnownMask>(std::move(*mask));
  });
  TORCH_CHECK(found, "maskjit: ", found.error().message);
  return **found; // the table keeps it
}

const int32_t *KnownMask::defaults(c10::Device device) {
  if (device.is_cpu() || words.empty())
    return words.data();
  const int32_t *copied = onDevice[device.index()].load(std::memory_order_acquire);
  return copied ? copied : copyTo(device);
}

const int32_t *KnownMask::copyTo(c10::Device device) {
  std::lock_guard<std::mutex> lock(copying);
  std::atomic<const int32_t *> &slot = onDevice[device.index()];
  if (const int32_t *copied = slot.load(std::memory_order_acquire))
    return copied;
  TORCH_CHECK(c10::cuda::currentStreamCaptureStatusMayInitCtx() == c10::cuda::CaptureStatus::None,
              "maskjit: the first call of mask '", parsed.name(),
              "' on a device copies its default values there, which a graph capture cannot hold; call it once before");
  // From pageable memory the copy is complete when it returns, so that any stream may read it.
  const at::Tensor host = at::from_blob(words.data(), {static_cast<int64_t>(words.size())}, at::kInt);
  auto *copy = new at::Tensor(host.to(device)); // kept for the life of the process
  slot.store(copy->const_data_ptr<int32_t>(), std::memory_order_release);
  return slot;
}

} // namespace maskjit::torch_ops
