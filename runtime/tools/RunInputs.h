// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arguments of `maskjit run`, out of a safetensors file, and room for its results.
#pragma once
#include "runtime/attention/Attention.h"
#include "runtime/safetensors/Safetensors.h"
#include <list>

namespace maskjit {

struct RunOptions {
  std::optional<DType> dtype; // absent: that of q
  std::optional<double> scale;
  bool backward = false;
};

/// One call on host memory that it owns.
struct RunCall {
  AttentionArgs args;
  std::vector<std::string> unread; // tensors of the file that the call does not use
  bool backward = false;

  /// out, lse and, of a backward call, dq, dk, dv, dsinks; they point into this object.
  std::map<std::string, TensorRecord> results() const;

  std::list<std::vector<std::byte>> memory;
};

/// Tensors q, k, v, sinks, dout and the mask's parameters by name. A scalar: one number or [B]. An array: [n] or [B,
/// n]; one that is sorted along k may also be given by the lengths of its runs, which add up to the number of keys.
Result<RunCall> readRunCall(const Mask &mask, const SafetensorsFile &file, const RunOptions &options);

} // namespace maskjit
