// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks by the reference that an operator is given, parsed once a process, with their default values on each device.
#pragma once
#include "compiler/Compiler.h"
#include <array>
#include <atomic>
#include <c10/core/Device.h>
#include <mutex>
#include <string_view>
#include <vector>

namespace maskjit::torch_ops {

class KnownMask {
public:
  explicit KnownMask(Mask mask);

  /// Finds, or parses and keeps, the mask that `reference` names. It stays valid for the life of the process, so that a
  /// .mask file that changes on disk is not read again. Throws c10::Error with the front end's message.
  static KnownMask &find(std::string_view reference);

  const Mask &mask() const { return parsed; }
  const std::vector<ParamInfo> &params() const { return parsed.params(); }

  /// One 32-bit word a parameter, int32 or float: its default (0 if it has none), in memory of `device`. Made by the
  /// first call for a device, which must not be under graph capture: the copy would belong to the graph.
  const int32_t *defaults(c10::Device device);

private:
  const int32_t *copyTo(c10::Device device);

  Mask parsed;
  std::vector<int32_t> words;
  std::mutex copying;
  std::array<std::atomic<const int32_t *>, 1 << (8 * sizeof(c10::DeviceIndex) - 1)> onDevice{};
};

} // namespace maskjit::torch_ops
