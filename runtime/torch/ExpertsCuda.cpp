// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// 4-bit experts on CUDA tensors: checks, current stream, LibTorch's allocator for workspace, no waiting.
#include "runtime/experts/Experts.h"
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <map>
#include <mutex>
#include <torch/library.h>

namespace maskjit::torch_ops {
namespace {

/// Makes x's device current, for LibTorch and for the driver: see Launch in Cuda.cpp.
struct OnDevice {
  c10::cuda::CUDAGuard guard;
  void *stream;
  explicit OnDevice(const at::Tensor &x) : guard(x.device()) {
    C10_CUDA_CHECK(cudaSetDevice(x.get_device()));
    stream = c10::cuda::getCurrentCUDAStream().stream();
  }
};

/// Two words for each stream, zero between calls.
uint32_t *barrierOf(void *stream, const at::Tensor &like) {
  static std::mutex mutex;
  static auto &known = *new std::map<std::pair<int, void *>, at::Tensor>; // outlives LibTorch's own end
  std::lock_guard<std::mutex> lock(mutex);
  at::Tensor &words = known[{like.get_device(), stream}];
  if (!words.defined())
    words = at::zeros({2}, like.options().dtype(at::kInt));
  return reinterpret_cast<uint32_t *>(words.mutable_data_ptr());
}

at::Tensor bytesOn(const Result<int64_t> &bytes, const at::Tensor &like) {
  TORCH_CHECK(bytes, "maskjit: ", bytes.error().message);
  return at::empty({*bytes}, like.options().dtype(at::kByte));
}

void check(const at::Tensor &tensor, const char *name, at::ScalarType type, at::IntArrayRef sizes,
           const at::Tensor &x) {
  TORCH_CHECK(tensor.scalar_type() == type, "maskjit: ", name, " is ", tensor.scalar_type(), "; expected ", type);
  TORCH_CHECK(tensor.sizes() == sizes, "maskjit: ", name, " has shape ", tensor.sizes(), "; expected ", sizes);
  TORCH_CHECK(tensor.device() == x.device(), "maskjit: ", name, " is on ", tensor.device(), ", x on ", x.device());
  TORCH_CHECK(tensor.is_contiguous(), "maskjit: ", name, " has gaps; call .contiguous()");
}

DType dtypeOf(const at::Tensor &x) {
  TORCH_CHECK(x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16, "maskjit: x is ", x.scalar_type(),
              "; 4-bit experts on CUDA take float16 and bfloat16: convert it, or use the CPU");
  TORCH_CHECK(x.dim() == 2, "maskjit: x has ", x.dim(), " dimensions; expected [rows, features]");
  return x.scalar_type() == at::kHalf ? DType::F16 : DType::BF16;
}

ExpertsView viewOf(const at::Tensor &blocks, const at::Tensor &scales, const std::optional<at::Tensor> &bias,
                 const char *name, int64_t experts, int64_t rows, int64_t columns, const at::Tensor &x) {
  check(blocks, (std::string(name) + "blocks").c_str(), at::kByte, {experts, rows, columns / 32, 16}, x);
  check(scales, (std::string(name) + "scales").c_str(), at::kByte, {experts, rows, columns / 32}, x);
  if (bias)
    check(*bias, (std::string(name) + "bias").c_str(), x.scalar_type(), {experts, rows}, x);
  return {blocks.const_data_ptr(), scales.const_data_ptr(), bias ? bias->const_data_ptr() : nullptr};
}

at::Tensor experts(const at::Tensor &given, const at::Tensor &chosen, const at::Tensor &scores,
                   const at::Tensor &gateUpBlocks, const at::Tensor &gateUpScales, const at::Tensor &gateUpBias,
                   const at::Tensor &downBlocks, const at::Tensor &downScales, const at::Tensor &downBias, double alpha,
                   double limit) {
  const at::Tensor x = given.contiguous();
  const OnDevice device(x);
  ExpertsCall call;
  call.dtype = dtypeOf(x);
  TORCH_CHECK(chosen.dim() == 2 && gateUpBlocks.dim() == 4 && downBlocks.dim() == 4,
              "maskjit: expected chosen [rows, experts a row] and blocks [experts, rows, columns / 32, 16], got ",
              chosen.sizes(), ", ", gateUpBlocks.sizes(), " and ", downBlocks.sizes());
  call.tokens = x.size(0);
  call.hidden = x.size(1);
  call.intermediate = downBlocks.size(2) * 32;
  call.experts = gateUpBlocks.size(0);
  call.expertsPerToken = chosen.size(1);
  check(chosen, "chosen", at::kInt, {call.tokens, call.expertsPerToken}, x);
  check(scores, "scores", at::kFloat, {call.tokens, call.expertsPerToken}, x);
  call.gateUp =
      viewOf(gateUpBlocks, gateUpScales, gateUpBias, "gate_up_", call.experts, 2 * call.intermediate, call.hidden, x);
  call.down = viewOf(downBlocks, downScales, downBias, "down_", call.experts, call.hidden, call.intermediate, x);
  at::Tensor out = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  call.x = x.const_data_ptr();
  call.chosen = chosen.const_data_ptr<int32_t>();
  call.scores = scores.const_data_ptr<float>();
  call.out = out.mutable_data_ptr<float>();
  call.alpha = static_cast<float>(alpha);
  call.limit = static_cast<float>(limit);
  const at::Tensor workspace = bytesOn(expertsWorkspace(call), x);
  call.workspace = workspace.mutable_data_ptr();
  call.barrier = barrierOf(device.stream, x);
  const Result<void> done = expertsForwardCuda(call, device.stream);
  TORCH_CHECK(done, "maskjit: ", done.error().message);
  return out;
}

/// Both directions: [pairs, rows of the matrix], or of the gradient [pairs, columns].
at::Tensor product(const at::Tensor &given, const at::Tensor &chosen, const at::Tensor &blocks,
                   const at::Tensor &scales, const std::optional<at::Tensor> &bias, int64_t perRow, bool gradient) {
  const at::Tensor x = given.contiguous();
  const OnDevice device(x);
  ExpertsLinearCall call;
  call.dtype = dtypeOf(x);
  TORCH_CHECK(chosen.dim() == 1 && blocks.dim() == 4,
              "maskjit: expected chosen [pairs] and blocks [experts, rows, columns / 32, 16], got ", chosen.sizes(),
              " and ", blocks.sizes());
  call.pairs = chosen.size(0);
  call.perRow = perRow;
  call.experts = blocks.size(0);
  call.outputs = blocks.size(1);
  call.inputs = blocks.size(2) * 32;
  check(chosen, "chosen", at::kInt, {call.pairs}, x);
  const int64_t features = gradient ? call.outputs : call.inputs;
  TORCH_CHECK(perRow > 0 && x.size(0) * perRow == call.pairs && x.size(1) == features, "maskjit: x has shape ",
              x.sizes(), "; expected [", call.pairs, " pairs / ", perRow, ", ", features, "]");
  call.matrix = viewOf(blocks, scales, bias, "", call.experts, call.outputs, call.inputs, x);
  at::Tensor y = at::empty({call.pairs, gradient ? call.inputs : call.outputs}, x.options());
  call.x = x.const_data_ptr();
  call.chosen = chosen.const_data_ptr<int32_t>();
  call.y = y.mutable_data_ptr();
  const at::Tensor workspace = bytesOn(expertsLinearWorkspace(call, gradient), x);
  call.workspace = workspace.mutable_data_ptr();
  const Result<void> done = expertsLinearCuda(call, gradient, device.stream);
  TORCH_CHECK(done, "maskjit: ", done.error().message);
  return y;
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &chosen, const at::Tensor &blocks, const at::Tensor &scales,
                  const std::optional<at::Tensor> &bias, int64_t perRow) {
  return product(x, chosen, blocks, scales, bias, perRow, /*gradient=*/false);
}
at::Tensor linearGradient(const at::Tensor &dy, const at::Tensor &chosen, const at::Tensor &blocks,
                          const at::Tensor &scales, int64_t perRow) {
  return product(dy, chosen, blocks, scales, std::nullopt, perRow, /*gradient=*/true);
}

} // namespace

TORCH_LIBRARY_IMPL(maskjit, CUDA, m) {
  m.impl("experts", &experts);
  m.impl("experts_linear", &linear);
  m.impl("experts_linear_gradient", &linearGradient);
}

} // namespace maskjit::torch_ops
