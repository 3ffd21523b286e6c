// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit::linear_nf4 on CUDA and on tensors without data.
#include "runtime/torch/LinearNf4.h"
#include "runtime/linear/LinearNf4.h"
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/library.h>

namespace maskjit {

namespace torch_ops {
namespace {

void checkLinearNf4(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &table, const at::Tensor &absmax,
                    at::TensorList nested, int64_t features, const std::optional<at::Tensor> &bias) {
  const int64_t in = x.dim() == 2 ? x.size(1) : -1;
  TORCH_CHECK(x.dim() == 2 && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf),
              "maskjit::linear_nf4: x is [rows, in] of bfloat16 or float16, got ", x.scalar_type(), " of ", x.sizes());
  TORCH_CHECK(linearNf4Serves(in, features), "maskjit::linear_nf4: in is a multiple of 64 and features of 8, got ", in,
              " and ", features);
  TORCH_CHECK(codes.scalar_type() == at::kByte && codes.numel() == features * in / 2, "maskjit::linear_nf4: codes are ",
              features * in / 2, " bytes for a matrix of ", features, " x ", in, ", got ", codes.numel(), " of ",
              codes.scalar_type());
  TORCH_CHECK(table.scalar_type() == at::kFloat && table.numel() == 16, "maskjit::linear_nf4: table is 16 floats, got ",
              table.numel(), " of ", table.scalar_type());
  const int64_t blocks = features * in / 64;
  TORCH_CHECK(nested.empty() || nested.size() == 3,
              "maskjit::linear_nf4: nested is empty or its table, absmax and offset, got ", nested.size(), " tensors");
  TORCH_CHECK(absmax.numel() == blocks && absmax.scalar_type() == (nested.empty() ? at::kFloat : at::kByte),
              "maskjit::linear_nf4: absmax is ", blocks, nested.empty() ? " floats" : " bytes", ", got ",
              absmax.numel(), " of ", absmax.scalar_type());
  if (!nested.empty()) {
    const int64_t sizes[] = {256, (blocks + 255) / 256, 1};
    for (int i = 0; i < 3; ++i)
      TORCH_CHECK(nested[i].scalar_type() == at::kFloat && nested[i].numel() == sizes[i],
                  "maskjit::linear_nf4: nested[", i, "] is ", sizes[i], " floats, got ", nested[i].numel(), " of ",
                  nested[i].scalar_type());
  }
  TORCH_CHECK(!bias || !bias->defined() || (bias->scalar_type() == x.scalar_type() && bias->numel() == features),
              "maskjit::linear_nf4: bias is ", features, " of x's dtype");
}

at::Tensor emptyOut(const at::Tensor &x, int64_t features) {
  return at::empty_symint({x.sym_size(0), c10::SymInt(features)}, x.options());
}

at::Tensor onCuda(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &table, const at::Tensor &absmax,
                  at::TensorList nested, int64_t features, const std::optional<at::Tensor> &bias) {
  checkLinearNf4(x, codes, table, absmax, nested, features, bias);
  auto here = [&](const at::Tensor &t, const char *name) {
    TORCH_CHECK(t.device() == x.device() && t.is_contiguous(), "maskjit::linear_nf4: ", name,
                " is contiguous and on the device of x, ", x.device(), "; got ", t.device());
    return t.const_data_ptr();
  };
  const c10::cuda::CUDAGuard guard(x.device());
  C10_CUDA_CHECK(cudaSetDevice(x.get_device())); // gives a fresh thread of autograd its context
  at::Tensor out = emptyOut(x, features);
  LinearNf4Call call;
  call.dtype = x.scalar_type() == at::kHalf ? DType::F16 : DType::BF16;
  call.rows = x.size(0);
  call.in = x.size(1);
  call.features = features;
  call.x = here(x, "x");
  call.weight.codes = here(codes, "codes");
  call.weight.table = static_cast<const float *>(here(table, "table"));
  call.weight.absmax = here(absmax, "absmax");
  if (!nested.empty()) {
    call.weight.nestedTable = static_cast<const float *>(here(nested[0], "nested[0]"));
    call.weight.nestedAbsmax = static_cast<const float *>(here(nested[1], "nested[1]"));
    call.weight.nestedOffset = static_cast<const float *>(here(nested[2], "nested[2]"));
  }
  if (bias && bias->defined())
    call.bias = here(*bias, "bias");
  call.out = out.mutable_data_ptr();
  const Result<void> done = linearNf4Cuda(call, c10::cuda::getCurrentCUDAStream().stream());
  TORCH_CHECK(done, "maskjit::linear_nf4: ", done.error().message);
  return out;
}

at::Tensor onMeta(const at::Tensor &x, const at::Tensor &, const at::Tensor &, const at::Tensor &, at::TensorList,
                  int64_t features, const std::optional<at::Tensor> &) {
  return emptyOut(x, features);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(maskjit, m) {
  m.def("linear_nf4(Tensor x, Tensor codes, Tensor table, Tensor absmax, Tensor[] nested, int features, "
        "Tensor? bias=None) -> Tensor");
}
TORCH_LIBRARY_IMPL(maskjit, CUDA, m) { m.impl("linear_nf4", &onCuda); }
TORCH_LIBRARY_IMPL(maskjit, Meta, m) { m.impl("linear_nf4", &onMeta); }

} // namespace torch_ops

at::Tensor linear_nf4(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &table, const at::Tensor &absmax,
                      at::TensorList nested, int64_t features, const std::optional<at::Tensor> &bias) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("maskjit::linear_nf4", "")
          .typed<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                            at::TensorList, int64_t, const std::optional<at::Tensor> &)>();
  return op.call(x, codes, table, absmax, nested, features, bias);
}

} // namespace maskjit
