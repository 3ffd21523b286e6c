// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products with NF4 matrices on a GPU, forward and backward, against the dequantized matrix in double precision.
#include "model/QuantizeNf4.h"
#include "model/RowProducts.h"
#include "runtime/torch/LinearNf4.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

TEST(RowProductsGpu, OfNf4PassTheGradientWithoutADenseMatrix) {
  if (!test::gpuPresent())
    GTEST_SKIP() << "needs a gpu";
  const int64_t outputs = 2048, inputs = 1024, count = 40;
  const auto options = at::TensorOptions(at::kCUDA).dtype(at::kBFloat16);
  const Nf4 packed = quantizeNf4(at::randn({outputs, inputs}, options));
  const at::Tensor dense = dequantize(packed, 0, at::kBFloat16);
  const at::Tensor rows = at::randn({count, inputs}, options).requires_grad_(true);
  const at::Tensor dy = at::randn({count, outputs}, options);
  if (!linear_nf4_gradient_serves(dy, inputs))
    GTEST_SKIP() << "the gradient has no kernel for this device";

  c10::cuda::CUDACachingAllocator::emptyCache();
  c10::cuda::CUDACachingAllocator::resetPeakStats(0);
  auto allocated = [](auto which) {
    return which(c10::cuda::CUDACachingAllocator::getDeviceStats(0).allocated_bytes[0]);
  };
  const int64_t before = allocated([](const auto &bytes) { return bytes.current; });
  const at::Tensor y = multiplyRows(rows, Matrix(packed));
  y.backward(dy);
  const int64_t peak = allocated([](const auto &bytes) { return bytes.peak; });
  EXPECT_LT(peak - before, outputs * inputs * 2) << "bytes; as many as a matrix in bf16";

  const at::Tensor want = at::mm(dy.to(at::kDouble), dense.to(at::kDouble)), theirs = at::mm(dy, dense);
  auto error = [&](const at::Tensor &got) { return (got.to(at::kDouble) - want).norm().item<double>(); };
  EXPECT_LE(error(rows.grad()), 2 * error(theirs)); // LibTorch's own product in the same precision
}

} // namespace
} // namespace maskjit
