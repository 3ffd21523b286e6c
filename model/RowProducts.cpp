// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products by group with their gradients; fp32 on the CPU goes through RowKernel, anything else through LibTorch.
#include "model/RowProducts.h"
#include "model/RowKernel.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

namespace maskjit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor product(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias,
                   const std::vector<int64_t> &counts) {
  const int64_t out = weight.size(2);
  at::Tensor y = at::empty({rows.size(0), out}, rows.options());
  if (rows.is_cpu() && rows.scalar_type() == at::kFloat) {
    const at::Tensor x = rows.contiguous(), b = bias.defined() ? bias.contiguous() : bias;
    std::vector<RowProduct> products;
    int64_t begin = 0;
    for (size_t g = 0; g < counts.size(); begin += counts[g++])
      products.push_back({counts[g], x.size(1), out, x.const_data_ptr<float>() + begin * x.size(1),
                          weight.const_data_ptr<float>() + int64_t(g) * weight.stride(0), weight.stride(1),
                          weight.stride(2), b.defined() ? b.const_data_ptr<float>() + int64_t(g) * out : nullptr,
                          y.mutable_data_ptr<float>() + begin * out});
    computeRowProducts(products);
    return y;
  }
  int64_t begin = 0;
  for (size_t g = 0; g < counts.size(); begin += counts[g++]) {
    if (counts[g] == 0)
      continue;
    at::Tensor target = y.narrow(0, begin, counts[g]);
    if (bias.defined())
      at::addmm_out(target, bias[g], rows.narrow(0, begin, counts[g]), weight[g]);
    else
      at::mm_out(target, rows.narrow(0, begin, counts[g]), weight[g]);
  }
  return y;
}

struct MultiplyGroups : torch::autograd::Function<MultiplyGroups> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &rows, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias, const std::vector<int64_t> &counts) {
    context->save_for_backward({rows, weight});
    context->saved_data["counts"] = counts;
    context->saved_data["biased"] = bias.has_value();
    return product(rows, weight, bias.value_or(at::Tensor()), counts);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &weight = saved[1], dy = gradients[0].contiguous();
    const std::vector<int64_t> counts = context->saved_data["counts"].toIntVector();
    at::Tensor dx, dw, db;
    if (context->needs_input_grad(0))
      dx = product(dy, weight.transpose(1, 2), {}, counts);
    const bool forWeight = context->needs_input_grad(1);
    const bool forBias = context->saved_data["biased"].toBool() && context->needs_input_grad(2);
    if (forWeight)
      dw = at::zeros(weight.sizes(), weight.options());
    if (forBias)
      db = at::zeros({weight.size(0), weight.size(2)}, dy.options());
    int64_t begin = 0;
    for (size_t g = 0; g < counts.size(); begin += counts[g++]) {
      if (counts[g] == 0 || !(forWeight || forBias))
        continue;
      const at::Tensor block = dy.narrow(0, begin, counts[g]);
      if (forWeight)
        dw[g].copy_(at::mm(rows.narrow(0, begin, counts[g]).t(), block));
      if (forBias)
        db[g].copy_(block.sum(0));
    }
    return {dx, dw, db, {}};
  }
};

} // namespace

at::Tensor multiplyGroups(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias,
                          const std::vector<int64_t> &counts) {
  return MultiplyGroups::apply(rows, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, counts);
}

at::Tensor multiplyRows(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias) {
  return multiplyGroups(rows, weight.t().unsqueeze(0), bias.defined() ? bias.unsqueeze(0) : bias, {rows.size(0)});
}

} // namespace maskjit
