// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packed matrices of the fixtures nf4.safetensors and mxfp4.safetensors.
#pragma once
#include "model/Quantized.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>

namespace maskjit {

/// Names of the matrices in nf4.safetensors.
inline std::vector<std::string> nf4Cases(const TensorFile &file) {
  std::vector<std::string> names;
  const std::string end = ".packed";
  for (auto &[name, tensor] : file.all())
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0)
      names.push_back(name.substr(0, name.size() - end.size()));
  return names;
}

inline Nf4 nf4Of(const TensorFile &file, const std::string &name) {
  Nf4 weight;
  const at::Tensor &values = file[name + ".dequantized"];
  weight.outputs = values.size(0), weight.inputs = values.size(1);
  weight.codes = file[name + ".packed"].view({1, -1});
  weight.table = file["quant_map"];
  if (file.all().count(name + ".absmax_u8")) {
    weight.absmax = file[name + ".absmax_u8"].view({1, -1});
    weight.nestedTable = file[name + ".nested_quant_map"];
    weight.nestedAbsmax = file[name + ".nested_absmax"].view({1, -1});
    weight.nestedOffset = file[name + ".offset"].view({1});
  } else {
    weight.absmax = file[name + ".absmax"].view({1, -1});
  }
  return weight;
}

} // namespace maskjit
