// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From rewards to advantages: the group-relative baseline, as TRL 1.16 computes it.
#pragma once
#include "rl/Metrics.h"
#include <ATen/core/Tensor.h>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

enum class ScaleRewards { Group, Batch, None };
enum class Aggregation { SumThenNormalize, NormalizeThenSum };
/// "group", "batch" or "none".
ScaleRewards parseScaleRewards(std::string_view name);
/// "sum_then_normalize" or "normalize_then_sum".
Aggregation parseAggregation(std::string_view name);

struct AdvantageOptions {
  int64_t numGenerations = 8;
  ScaleRewards scale = ScaleRewards::Group;
  Aggregation aggregation = Aggregation::SumThenNormalize;
};

/// rewards [N, functions] (NaN: that function gave none), N a multiple of numGenerations with a prompt's completions
/// side by side; weights [functions]. Returns [N]. Records reward, reward_std, frac_reward_zero_std and
/// rewards/<name>/{mean,std}.
at::Tensor advantages(const at::Tensor &rewards, const at::Tensor &weights, const std::vector<std::string> &names,
                      const AdvantageOptions &options, Metrics &metrics);

} // namespace maskjit::rl
