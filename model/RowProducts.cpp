// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products by group with their gradients; fp32 on the CPU goes through RowKernel, anything else through LibTorch.
#include "model/RowProducts.h"
#include "model/PackedPanels.h"
#include "model/RowKernel.h"
#include "runtime/linear/LinearNf4.h"
#include "runtime/torch/LinearNf4.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

namespace maskjit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A stack [G, in, out] of any strides.
struct DenseStack {
  const at::Tensor &weight;

  int64_t columns() const { return weight.size(2); }
  PanelReader panels(int64_t g) const {
    return stridedPanels(weight.const_data_ptr<float>() + g * weight.stride(0), weight.size(1), weight.stride(1),
                         weight.stride(2));
  }
  at::Tensor fromCodes(const at::Tensor &, int64_t, const at::Tensor &) const { return {}; }
  at::Tensor matrix(int64_t g, at::ScalarType) const { return weight[g]; }
};

/// A packed stack, or its matrices transposed.
struct PackedStack {
  const Matrix &weight;
  bool transposed;

  int64_t columns() const { return transposed ? weight.inputs() : weight.outputs(); }
  PanelReader panels(int64_t g) const { return packedPanels(weight, g, transposed); }
  /// rows times matrix `g` from its codes; undefined where no kernel does that. Where none does, `matrix` makes one
  /// dense matrix at a time.
  at::Tensor fromCodes(const at::Tensor &rows, int64_t g, const at::Tensor &bias) const {
    const Nf4 *w = weight.nf4();
    const bool served = w && rows.is_cuda() && rows.scalar_type() == at::kBFloat16 && w->blockSize == 64 &&
                        w->nestedBlockSize == 256 && w->rounding != at::kHalf &&
                        linearNf4Serves(w->inputs, w->outputs) &&
                        (!transposed || linear_nf4_gradient_serves(rows, w->inputs));
    if (!served)
      return {};
    std::vector<at::Tensor> nested;
    if (w->nestedTable.defined())
      nested = {w->nestedTable, w->nestedAbsmax[g], w->nestedOffset[g]};
    if (transposed)
      return linear_nf4_gradient(rows, w->codes[g], w->table, w->absmax[g], nested, w->inputs, /*frozen=*/true);
    return linear_nf4(rows, w->codes[g], w->table, w->absmax[g], nested, w->outputs,
                      bias.defined() ? std::optional<at::Tensor>(bias[g]) : std::nullopt, /*frozen=*/true);
  }
  at::Tensor matrix(int64_t g, at::ScalarType dtype) const {
    const at::Tensor inOut = weight.inOut(g, dtype);
    return transposed ? inOut.t() : inOut;
  }
};

template <class Stack>
at::Tensor product(const at::Tensor &rows, const Stack &stack, const at::Tensor &bias,
                   const std::vector<int64_t> &counts) {
  const int64_t out = stack.columns();
  at::Tensor y = at::empty({rows.size(0), out}, rows.options());
  int64_t begin = 0;
  if (rows.is_cpu() && rows.scalar_type() == at::kFloat) {
    const at::Tensor x = rows.contiguous(), b = bias.defined() ? bias.contiguous() : bias;
    std::vector<RowProduct> products;
    for (size_t g = 0; g < counts.size(); begin += counts[g++])
      if (counts[g])
        products.push_back({counts[g], x.size(1), out, x.const_data_ptr<float>() + begin * x.size(1), stack.panels(g),
                            b.defined() ? b.const_data_ptr<float>() + int64_t(g) * out : nullptr,
                            y.mutable_data_ptr<float>() + begin * out});
    computeRowProducts(products);
    return y;
  }
  for (size_t g = 0; g < counts.size(); begin += counts[g++]) {
    if (counts[g] == 0)
      continue;
    at::Tensor target = y.narrow(0, begin, counts[g]);
    if (const at::Tensor done = stack.fromCodes(rows.narrow(0, begin, counts[g]), int64_t(g), bias); done.defined()) {
      if (counts.size() == 1)
        return done;
      target.copy_(done);
      continue;
    }
    const at::Tensor matrix = stack.matrix(g, rows.scalar_type());
    if (bias.defined())
      at::addmm_out(target, bias[g], rows.narrow(0, begin, counts[g]), matrix);
    else
      at::mm_out(target, rows.narrow(0, begin, counts[g]), matrix);
  }
  return y;
}

/// Sums of the rows of each group, [G, columns].
at::Tensor groupSums(const at::Tensor &rows, const std::vector<int64_t> &counts) {
  at::Tensor sums = at::zeros({int64_t(counts.size()), rows.size(1)}, rows.options());
  int64_t begin = 0;
  for (size_t g = 0; g < counts.size(); begin += counts[g++])
    if (counts[g])
      sums[g].copy_(rows.narrow(0, begin, counts[g]).sum(0));
  return sums;
}

struct MultiplyGroups : torch::autograd::Function<MultiplyGroups> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &rows, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias, const std::vector<int64_t> &counts) {
    context->save_for_backward({rows, weight});
    context->saved_data["counts"] = counts;
    context->saved_data["biased"] = bias.has_value();
    return product(rows, DenseStack{weight}, bias.value_or(at::Tensor()), counts);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &weight = saved[1], dy = gradients[0].contiguous();
    const std::vector<int64_t> counts = context->saved_data["counts"].toIntVector();
    at::Tensor dx, dw, db;
    if (context->needs_input_grad(0))
      dx = product(dy, DenseStack{weight.transpose(1, 2)}, {}, counts);
    const bool forWeight = context->needs_input_grad(1);
    if (context->saved_data["biased"].toBool() && context->needs_input_grad(2))
      db = groupSums(dy, counts);
    if (forWeight)
      dw = at::zeros(weight.sizes(), weight.options());
    int64_t begin = 0;
    for (size_t g = 0; forWeight && g < counts.size(); begin += counts[g++])
      if (counts[g])
        dw[g].copy_(at::mm(rows.narrow(0, begin, counts[g]).t(), dy.narrow(0, begin, counts[g])));
    return {dx, dw, db, {}};
  }
};

/// Frozen weights: the gradient passes through them to the rows.
struct MultiplyPacked : torch::autograd::Function<MultiplyPacked> {
  struct Held : torch::CustomClassHolder {
    Matrix weight;
  };

  static at::Tensor forward(AutogradContext *context, const at::Tensor &rows, const std::optional<at::Tensor> &bias,
                            const Matrix &weight, const std::vector<int64_t> &counts) {
    auto held = c10::make_intrusive<Held>();
    held->weight = weight;
    context->saved_data["weight"] = at::IValue::make_capsule(held);
    context->saved_data["counts"] = counts;
    context->saved_data["biased"] = bias.has_value();
    return product(rows, PackedStack{weight, false}, bias.value_or(at::Tensor()), counts);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const std::vector<int64_t> counts = context->saved_data["counts"].toIntVector();
    const auto held = c10::static_intrusive_pointer_cast<Held>(context->saved_data["weight"].toCapsule());
    at::Tensor dx, db;
    if (context->needs_input_grad(0))
      dx = product(dy, PackedStack{held->weight, true}, {}, counts);
    if (context->saved_data["biased"].toBool() && context->needs_input_grad(1))
      db = groupSums(dy, counts);
    return {dx, db, {}, {}};
  }
};

std::optional<at::Tensor> optional(const at::Tensor &bias) {
  return bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
}

} // namespace

at::Tensor multiplyGroups(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias,
                          const std::vector<int64_t> &counts) {
  return MultiplyGroups::apply(rows, weight, optional(bias), counts);
}

at::Tensor multiplyGroups(const at::Tensor &rows, const Matrix &weight, const at::Tensor &bias,
                          const std::vector<int64_t> &counts) {
  if (weight.packed())
    return MultiplyPacked::apply(rows, optional(bias), weight, counts);
  return multiplyGroups(rows, weight.dense(), bias, counts);
}

at::Tensor multiplyRows(const at::Tensor &rows, const at::Tensor &weight, const at::Tensor &bias) {
  return multiplyGroups(rows, weight.t().unsqueeze(0), bias.defined() ? bias.unsqueeze(0) : bias, {rows.size(0)});
}

at::Tensor multiplyRows(const at::Tensor &rows, const Matrix &weight, const at::Tensor &bias) {
  if (!weight.packed())
    return multiplyRows(rows, weight.dense(), bias);
  return multiplyGroups(rows, weight, bias.defined() ? bias.unsqueeze(0) : bias, {rows.size(0)});
}

} // namespace maskjit
