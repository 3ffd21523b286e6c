// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RMSNorm with a backward of its own, which keeps the input and one number a row instead of four copies of the input.
#include "model/Norm.h"
#include "runtime/rows/ManyRows.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/csrc/autograd/custom_function.h>
#include <utility>

namespace maskjit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool hasKernel(const at::Tensor &x, const at::Tensor &weight) {
  return x.is_cuda() && x.dim() == 2 && x.scalar_type() == at::kFloat && x.is_contiguous() && weight.is_contiguous() &&
         (weight.scalar_type() == at::kBFloat16 || weight.scalar_type() == at::kHalf) && residualNormServes(x.size(1));
}

/// Runs the kernel; tensors that are undefined are not wanted. `x` changes where there is an addend.
void runKernel(const at::Tensor &x, const at::Tensor &addend, const at::Tensor &weight, double eps,
               const at::Tensor &rows, const at::Tensor &wide, const at::Tensor &scale) {
  const c10::cuda::CUDAGuard guard(x.device());
  C10_CUDA_CHECK(cudaSetDevice(x.get_device())); // gives a fresh thread of autograd its context
  const auto memory = [](const at::Tensor &t) { return t.defined() ? t.data_ptr() : nullptr; };
  ResidualNormCall call;
  call.dtype = weight.scalar_type() == at::kHalf ? DType::F16 : DType::BF16;
  call.rows = x.size(0), call.features = x.size(1);
  call.residual = x.data_ptr<float>();
  call.addend = memory(addend), call.wideAddend = addend.defined() && addend.scalar_type() == at::kFloat;
  call.weight = weight.const_data_ptr();
  call.out = memory(rows);
  call.wideOut = static_cast<float *>(memory(wide)), call.scale = static_cast<float *>(memory(scale));
  call.eps = static_cast<float>(eps);
  const Result<void> done = residualNormCuda(call, c10::cuda::getCurrentCUDAStream().stream());
  TORCH_CHECK(done, done.error().message);
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &weight, double eps) {
    if (hasKernel(x, weight)) {
      const at::Tensor out = at::empty_like(x), scale = at::empty({x.size(0), 1}, x.options());
      runKernel(x, {}, weight, eps, {}, out, scale);
      context->save_for_backward({x, weight, scale});
      return out;
    }
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor scale = wide.square().mean(-1, true).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, scale});
    return (wide * scale).mul_(weight.to(at::kFloat)).to(x.scalar_type());
  }

  // n = x * scale; dx = scale * (g - n * mean(g * n)) with g = dy * weight.
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor normal = saved[0].to(at::kFloat) * saved[2], dy = gradients[0].to(at::kFloat);
    at::Tensor dx, dweight;
    if (context->needs_input_grad(0)) {
      at::Tensor g = dy * saved[1].to(at::kFloat);
      dx = g.sub_(normal * (g * normal).mean(-1, true)).mul_(saved[2]).to(saved[0].scalar_type());
    }
    if (context->needs_input_grad(1))
      dweight = (dy * normal).sum(0).to(saved[1].scalar_type());
    return {dx, dweight, {}};
  }
};

} // namespace

at::Tensor rmsNorm(const at::Tensor &x, const at::Tensor &weight, double eps) { return RmsNorm::apply(x, weight, eps); }

Normal addNorm(at::Tensor &x, at::Tensor &addend, const at::Tensor &weight, double eps, at::ScalarType dtype,
               bool wide) {
  const at::Tensor added = std::exchange(addend, {});
  const bool sameKind =
      !added.defined() ||
      (added.is_contiguous() && (added.scalar_type() == at::kFloat || added.scalar_type() == weight.scalar_type()));
  if (at::GradMode::is_enabled() || !hasKernel(x, weight) || weight.scalar_type() != dtype || !sameKind) {
    if (added.defined())
      x = x + added;
    const at::Tensor normal = rmsNorm(x, weight, eps);
    return {normal.to(dtype), wide ? normal : at::Tensor()};
  }
  Normal normal;
  normal.rows = at::empty(x.sizes(), x.options().dtype(dtype));
  if (wide)
    normal.wide = at::empty_like(x);
  runKernel(x, added, weight, eps, normal.rows, normal.wide, {});
  return normal;
}

} // namespace maskjit
