// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operators' names and signatures. Meaning of the arguments: runtime/torch/Attention.h.
#include "runtime/cache/CompileCounter.h"
#include <torch/library.h>

TORCH_LIBRARY(maskjit, m) {
  m.def("attention(Tensor q, Tensor k, Tensor v, Tensor? sinks, str mask, Tensor[] params, float? scale=None) "
        "-> (Tensor out, Tensor lse)");
  m.def("attention_cached(Tensor q, Tensor k_pages, Tensor v_pages, Tensor page_table, Tensor kv_len, Tensor? sinks, "
        "str mask, Tensor[] params, float? scale=None) -> (Tensor out, Tensor lse)");
  // The gradient of `attention`; dsinks has no elements where there are no sinks.
  m.def(
      "attention_backward(Tensor dout, Tensor q, Tensor k, Tensor v, Tensor? sinks, Tensor out, Tensor lse, str mask, "
      "Tensor[] params, float? scale=None) -> (Tensor dq, Tensor dk, Tensor dv, Tensor dsinks)");
  // How many kernels this process has compiled so far.
  m.def("compilations() -> int", [] { return maskjit::compilations(); });
}
