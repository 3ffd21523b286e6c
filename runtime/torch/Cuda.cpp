// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operators on CUDA tensors: current stream, LibTorch's allocator for temporary memory, no waiting.
#include "runtime/torch/Bodies.h"
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

/// Makes q's device current and lends a launch its stream and memory. The memory goes back to the allocator at the end
/// of the call, which hands it out again in the stream's order only.
class Launch {
public:
  explicit Launch(const at::Tensor &q) : guard(q.device()) {
    // The guard does nothing where the device is the current one already, as on a fresh thread of autograd; only the
    // runtime's own call gives such a thread a context.
    C10_CUDA_CHECK(cudaSetDevice(q.get_device()));
    context.stream = c10::cuda::getCurrentCUDAStream().stream();
    context.allocate = [](size_t bytes, void *user) -> void * {
      auto &blocks = *static_cast<std::vector<c10::DataPtr> *>(user);
      blocks.push_back(c10::cuda::CUDACachingAllocator::get()->allocate(bytes));
      return blocks.back().get();
    };
    context.user = &blocks;
  }
  Launch(const Launch &) = delete;

  Result<void> forward(const Mask &mask, const AttentionArgs &args) const {
    return attentionForwardCuda(mask, args, context);
  }
  Result<void> backward(const Mask &mask, const AttentionArgs &args) const {
    return attentionBackwardCuda(mask, args, context);
  }

private:
  c10::cuda::CUDAGuard guard;
  std::vector<c10::DataPtr> blocks;
  CudaContext context;
};

std::tuple<at::Tensor, at::Tensor> attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                             const std::optional<at::Tensor> &sinks, c10::string_view mask,
                                             at::TensorList params, std::optional<double> scale) {
  Launch launch(q);
  return forward(q, k, v, sinks, {mask, params, scale},
                 [&](const Mask &m, const AttentionArgs &args) { return launch.forward(m, args); });
}

std::tuple<at::Tensor, at::Tensor> attentionCached(const at::Tensor &q, const at::Tensor &kPages,
                                                   const at::Tensor &vPages, const at::Tensor &pageTable,
                                                   const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                   c10::string_view mask, at::TensorList params,
                                                   std::optional<double> scale) {
  Launch launch(q);
  return forwardCached(q, kPages, vPages, pageTable, kvLen, sinks, {mask, params, scale},
                       [&](const Mask &m, const AttentionArgs &args) { return launch.forward(m, args); });
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>
attentionBackward(const at::Tensor &dout, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  const std::optional<at::Tensor> &sinks, const at::Tensor &out, const at::Tensor &lse,
                  c10::string_view mask, at::TensorList params, std::optional<double> scale) {
  Launch launch(q);
  return backward(dout, q, k, v, sinks, out, lse, {mask, params, scale},
                  [&](const Mask &m, const AttentionArgs &args) { return launch.backward(m, args); });
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, CUDA, m) {
  m.impl("attention", &attention);
  m.impl("attention_cached", &attentionCached);
  m.impl("attention_backward", &attentionBackward);
}

} // namespace maskjit::torch_ops
