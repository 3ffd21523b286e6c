// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of phases and dtypes, and the options shared by `compile` and `cache build`.
#include "runtime/tools/KernelOptions.h"

namespace maskjit {

const char *dtypeName(DType dtype) { return dtype == DType::BF16 ? "bf16" : dtype == DType::F16 ? "f16" : "f32"; }

std::optional<Phase> phaseNamed(const std::string &name) {
  for (Phase phase : kPhases)
    if (name == phaseName(phase))
      return phase;
  return std::nullopt;
}

std::vector<std::string> phaseNames() {
  std::vector<std::string> names;
  for (Phase phase : kPhases)
    names.push_back(phaseName(phase));
  return names;
}

void StructureOptions::addTo(CLI::App &command) {
  command.add_option("--head-dim", headDim, "32, 64, 96, 128 or 256")->capture_default_str();
  command.add_option("--group", group, "query heads that share a key head")->capture_default_str();
  command.add_option("--dtype", dtype, "bf16 or f16; bf16 if left out, f16 on sm_75")
      ->check(CLI::IsMember({"bf16", "f16"}, CLI::ignore_case));
}

KernelSpec StructureOptions::spec(Phase phase, const std::string &arch) const {
  const std::string chosen = !dtype.empty() ? dtype : arch == "sm_75" ? "f16" : "bf16";
  KernelSpec spec;
  spec.phase = phase;
  spec.dtype = chosen == "bf16" ? DType::BF16 : DType::F16;
  spec.headDim = headDim;
  spec.headsPerKeyHead = group;
  spec.arch = arch;
  return spec;
}

} // namespace maskjit
