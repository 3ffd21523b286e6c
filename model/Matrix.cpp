// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each way of holding a weight has to answer.
#include "model/Matrix.h"
#include <ATen/Functions.h>
#include <stdexcept>

namespace maskjit {
namespace {

std::vector<const at::Tensor *> parts(const Mxfp4 &w) { return {&w.blocks, &w.scales}; }
std::vector<const at::Tensor *> parts(const Nf4 &w) {
  return {&w.codes, &w.table, &w.absmax, &w.nestedTable, &w.nestedAbsmax, &w.nestedOffset};
}
std::vector<const at::Tensor *> parts(const at::Tensor &dense) { return {&dense}; }

template <class W> W moved(W weight, at::Device device) {
  for (const at::Tensor *part : parts(weight))
    if (part->defined())
      const_cast<at::Tensor &>(*part) = part->to(device);
  return weight;
}

} // namespace

const at::Tensor &Matrix::dense() const {
  if (packed())
    throw std::runtime_error("the weight is held in 4 bits, where dense values are expected; load the model with its "
                             "weights dense");
  return std::get<at::Tensor>(value);
}

at::Tensor &Matrix::dense() { return const_cast<at::Tensor &>(const_cast<const Matrix *>(this)->dense()); }

int64_t Matrix::matrices() const {
  if (const Mxfp4 *w = mxfp4())
    return w->matrices();
  if (const Nf4 *w = nf4())
    return w->matrices();
  return dense().dim() == 3 ? dense().size(0) : 1;
}

int64_t Matrix::outputs() const {
  if (const Mxfp4 *w = mxfp4())
    return w->outputs();
  if (const Nf4 *w = nf4())
    return w->outputs;
  return dense().dim() == 3 ? dense().size(2) : dense().size(0);
}

int64_t Matrix::inputs() const {
  if (const Mxfp4 *w = mxfp4())
    return w->inputs();
  if (const Nf4 *w = nf4())
    return w->inputs;
  return dense().size(1);
}

size_t Matrix::bytes() const {
  return std::visit(
      [](const auto &weight) {
        size_t sum = 0;
        for (const at::Tensor *part : parts(weight))
          sum += part->defined() ? part->nbytes() : 0;
        return sum;
      },
      value);
}

at::Device Matrix::device() const {
  return std::visit([](const auto &weight) { return parts(weight).front()->device(); }, value);
}

at::Tensor Matrix::inOut(int64_t index, at::ScalarType dtype) const {
  if (const Mxfp4 *w = mxfp4())
    return dequantize(*w, index, dtype).t();
  if (const Nf4 *w = nf4())
    return dequantize(*w, index, dtype).t();
  return (dense().dim() == 3 ? dense()[index] : dense().t()).to(dtype);
}

at::Tensor Matrix::toDense(at::ScalarType dtype, bool stack) const {
  if (!packed())
    return dense().to(dtype);
  if (!stack)
    return inOut(0, dtype).t().contiguous();
  at::Tensor all = at::empty({matrices(), inputs(), outputs()}, at::TensorOptions(dtype).device(device()));
  for (int64_t i = 0; i < matrices(); ++i)
    all[i].copy_(inOut(i, dtype));
  return all;
}

Matrix Matrix::to(at::Device device) const {
  return std::visit([&](const auto &weight) { return Matrix(moved(weight, device)); }, value);
}

} // namespace maskjit
