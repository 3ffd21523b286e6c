// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit::linear_nf4 and maskjit::linear_nf4_gradient on CUDA and on tensors without data.
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

/// What is checked of either operator; `across` and `down` are the matrix's [down, across].
struct Weight {
  const char *op;
  const at::Tensor &codes, &table, &absmax;
  at::TensorList nested;
  int64_t down, across;

  void check(const at::Tensor &rows, int64_t width) const {
    TORCH_CHECK(rows.dim() == 2 && rows.size(1) == width &&
                    (rows.scalar_type() == at::kBFloat16 || rows.scalar_type() == at::kHalf),
                op, ": rows are [rows, ", width, "] of bfloat16 or float16, got ", rows.scalar_type(), " of ",
                rows.sizes());
    TORCH_CHECK(linearNf4Serves(across, down), op, ": in is a multiple of 64 and features of 8, got ", across, " and ",
                down);
    TORCH_CHECK(codes.scalar_type() == at::kByte && codes.numel() == down * across / 2, op, ": codes are ",
                down * across / 2, " bytes for a matrix of ", down, " x ", across, ", got ", codes.numel(), " of ",
                codes.scalar_type());
    TORCH_CHECK(table.scalar_type() == at::kFloat && table.numel() == 16, op, ": table is 16 floats, got ",
                table.numel(), " of ", table.scalar_type());
    const int64_t blocks = down * across / 64;
    TORCH_CHECK(nested.empty() || nested.size() == 3, op, ": nested is empty or its table, absmax and offset, got ",
                nested.size(), " tensors");
    TORCH_CHECK(absmax.numel() == blocks && absmax.scalar_type() == (nested.empty() ? at::kFloat : at::kByte), op,
                ": absmax is ", blocks, nested.empty() ? " floats" : " bytes", ", got ", absmax.numel(), " of ",
                absmax.scalar_type());
    if (nested.empty())
      return;
    const int64_t sizes[] = {256, (blocks + 255) / 256, 1};
    for (int i = 0; i < 3; ++i)
      TORCH_CHECK(nested[i].scalar_type() == at::kFloat && nested[i].numel() == sizes[i], op, ": nested[", i, "] is ",
                  sizes[i], " floats, got ", nested[i].numel(), " of ", nested[i].scalar_type());
  }
};

const void *here(const at::Tensor &t, const at::Tensor &rows, const char *op, const char *name) {
  TORCH_CHECK(t.device() == rows.device() && t.is_contiguous(), op, ": ", name,
              " is contiguous and on the device of the rows, ", rows.device(), "; got ", t.device());
  return t.const_data_ptr();
}

at::Tensor emptyOut(const at::Tensor &rows, int64_t columns) {
  return at::empty_symint({rows.sym_size(0), c10::SymInt(columns)}, rows.options());
}

at::Tensor launch(const at::Tensor &rows, const Weight &w, bool gradient, const std::optional<at::Tensor> &bias,
                  bool frozen) {
  const c10::cuda::CUDAGuard guard(rows.device());
  C10_CUDA_CHECK(cudaSetDevice(rows.get_device())); // gives a fresh thread of autograd its context
  at::Tensor out = emptyOut(rows, gradient ? w.across : w.down);
  LinearNf4Call call;
  call.gradient = gradient;
  call.dtype = rows.scalar_type() == at::kHalf ? DType::F16 : DType::BF16;
  call.rows = rows.size(0);
  call.in = w.across;
  call.features = w.down;
  call.x = here(rows, rows, w.op, "rows");
  call.weight.codes = here(w.codes, rows, w.op, "codes");
  call.weight.table = static_cast<const float *>(here(w.table, rows, w.op, "table"));
  call.weight.absmax = here(w.absmax, rows, w.op, "absmax");
  if (!w.nested.empty()) {
    call.weight.nestedTable = static_cast<const float *>(here(w.nested[0], rows, w.op, "nested[0]"));
    call.weight.nestedAbsmax = static_cast<const float *>(here(w.nested[1], rows, w.op, "nested[1]"));
    call.weight.nestedOffset = static_cast<const float *>(here(w.nested[2], rows, w.op, "nested[2]"));
  }
  if (bias && bias->defined())
    call.bias = here(*bias, rows, w.op, "bias");
  call.out = out.mutable_data_ptr();
  call.frozen = frozen;
  const Result<void> done = linearNf4Cuda(call, c10::cuda::getCurrentCUDAStream().stream());
  TORCH_CHECK(done, w.op, ": ", done.error().message);
  return out;
}

at::Tensor linearOnCuda(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &table, const at::Tensor &absmax,
                        at::TensorList nested, int64_t features, const std::optional<at::Tensor> &bias, bool frozen) {
  const Weight w{"maskjit::linear_nf4", codes, table, absmax, nested, features, x.dim() == 2 ? x.size(1) : -1};
  w.check(x, w.across);
  TORCH_CHECK(!bias || !bias->defined() || (bias->scalar_type() == x.scalar_type() && bias->numel() == features), w.op,
              ": bias is ", features, " of x's dtype");
  return launch(x, w, false, bias, frozen);
}

at::Tensor linearOnMeta(const at::Tensor &x, const at::Tensor &, const at::Tensor &, const at::Tensor &, at::TensorList,
                        int64_t features, const std::optional<at::Tensor> &, bool) {
  return emptyOut(x, features);
}

at::Tensor gradientOnCuda(const at::Tensor &dy, const at::Tensor &codes, const at::Tensor &table,
                          const at::Tensor &absmax, at::TensorList nested, int64_t in, bool frozen) {
  const Weight w{"maskjit::linear_nf4_gradient", codes, table, absmax, nested, dy.dim() == 2 ? dy.size(1) : -1, in};
  w.check(dy, w.down);
  return launch(dy, w, true, std::nullopt, frozen);
}

at::Tensor gradientOnMeta(const at::Tensor &dy, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                          at::TensorList, int64_t in, bool) {
  return emptyOut(dy, in);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(maskjit, m) {
  m.def("linear_nf4(Tensor x, Tensor codes, Tensor table, Tensor absmax, Tensor[] nested, int features, "
        "Tensor? bias=None, bool frozen=False) -> Tensor");
  m.def("linear_nf4_gradient(Tensor dy, Tensor codes, Tensor table, Tensor absmax, Tensor[] nested, int inputs, "
        "bool frozen=False) -> Tensor");
}
TORCH_LIBRARY_IMPL(maskjit, CUDA, m) {
  m.impl("linear_nf4", &linearOnCuda);
  m.impl("linear_nf4_gradient", &gradientOnCuda);
}
TORCH_LIBRARY_IMPL(maskjit, Meta, m) {
  m.impl("linear_nf4", &linearOnMeta);
  m.impl("linear_nf4_gradient", &gradientOnMeta);
}

} // namespace torch_ops

at::Tensor linear_nf4(const at::Tensor &x, const at::Tensor &codes, const at::Tensor &table, const at::Tensor &absmax,
                      at::TensorList nested, int64_t features, const std::optional<at::Tensor> &bias, bool frozen) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("maskjit::linear_nf4", "")
          .typed<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
                            at::TensorList, int64_t, const std::optional<at::Tensor> &, bool)>();
  return op.call(x, codes, table, absmax, nested, features, bias, frozen);
}

at::Tensor linear_nf4_gradient(const at::Tensor &dy, const at::Tensor &codes, const at::Tensor &table,
                               const at::Tensor &absmax, at::TensorList nested, int64_t in, bool frozen) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("maskjit::linear_nf4_gradient", "")
                             .typed<at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &,
                                               const at::Tensor &, at::TensorList, int64_t, bool)>();
  return op.call(dy, codes, table, absmax, nested, in, frozen);
}

bool linear_nf4_gradient_serves(const at::Tensor &dy, int64_t in) {
  if (!dy.is_cuda() || dy.scalar_type() != at::kBFloat16)
    return false;
  const c10::cuda::CUDAGuard guard(dy.device());
  C10_CUDA_CHECK(cudaSetDevice(dy.get_device())); // as above
  return linearNf4GradientServes(in, dy.size(1), DType::BF16);
}

} // namespace maskjit
