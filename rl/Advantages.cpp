// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From rewards to advantages.
#include "rl/Advantages.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <limits>
#include <stdexcept>

namespace maskjit::rl {

// Keeps groups with (nearly) equal rewards from being blown up; TRL's value.
constexpr double kStdFloor = 1e-4;
// Below this a standard deviation counts as zero: the tolerance of torch.isclose.
constexpr double kZeroStd = 1e-8;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ScaleRewards parseScaleRewards(std::string_view name) {
  if (name == "group" || name == "true")
    return ScaleRewards::Group;
  if (name == "batch")
    return ScaleRewards::Batch;
  if (name == "none" || name == "false")
    return ScaleRewards::None;
  throw std::runtime_error("scale_rewards '" + std::string(name) + "' is unknown; use group, batch or none");
}

Aggregation parseAggregation(std::string_view name) {
  if (name == "sum_then_normalize")
    return Aggregation::SumThenNormalize;
  if (name == "normalize_then_sum")
    return Aggregation::NormalizeThenSum;
  throw std::runtime_error("multi_objective_aggregation '" + std::string(name) +
                           "' is unknown; use sum_then_normalize or normalize_then_sum");
}

/// Standard deviation with Bessel's correction, NaN left out; NaN where fewer than two numbers are.
static at::Tensor nanStd(const at::Tensor &x, int64_t dim) {
  at::Tensor there = (~x.isnan()).to(x.scalar_type());
  at::Tensor count = there.sum(dim, true);
  at::Tensor centred = at::nan_to_num(x - at::nanmean(x, dim, true));
  return (centred.square().sum(dim, true) / (count - 1)).sqrt();
}

at::Tensor advantages(const at::Tensor &rewards, const at::Tensor &weights, const std::vector<std::string> &names,
                      const AdvantageOptions &options, Metrics &metrics) {
  int64_t n = rewards.size(0), functions = rewards.size(1), group = options.numGenerations;
  TORCH_CHECK(group > 0 && n % group == 0, n, " rewards do not divide into groups of num_generations = ", group);
  TORCH_CHECK(weights.numel() == functions && int64_t(names.size()) == functions, "expected ", functions,
              " weights and names, one for each reward function; got ", weights.numel(), " and ", names.size());

  at::Tensor none = rewards.isnan().all(1); // no function judged this completion
  at::Tensor total = at::nansum(rewards * weights, 1).masked_fill(none, kNaN);
  at::Tensor grouped = total.view({-1, group});
  at::Tensor groupMean = at::nanmean(grouped, 1, true), groupStd = nanStd(grouped, 1);
  auto spread = [&](const at::Tensor &a) { return a.expand({n / group, group}).reshape({n}); };

  at::Tensor value, std;
  if (options.aggregation == Aggregation::SumThenNormalize) {
    std = options.scale == ScaleRewards::Batch ? nanStd(total, 0).expand({n}) : spread(groupStd);
    value = total - spread(groupMean);
    if (options.scale != ScaleRewards::None)
      value = value / (std + kStdFloor);
  } else {
    at::Tensor byFunction = rewards.view({-1, group, functions});
    at::Tensor unit = (byFunction - at::nanmean(byFunction, 1, true)) / (nanStd(byFunction, 1) + kStdFloor);
    at::Tensor sum = at::nansum(unit.view({n, functions}) * weights, 1).masked_fill(none, kNaN);
    std = nanStd(sum, 0).expand({n});
    value = (sum - at::nanmean(sum)) / (std + kStdFloor);
  }

  for (int64_t f = 0; f < functions; ++f) {
    at::Tensor column = rewards.select(1, f);
    metrics.set("rewards/" + names[size_t(f)] + "/mean", at::nanmean(column));
    metrics.set("rewards/" + names[size_t(f)] + "/std", nanStd(column, 0));
  }
  metrics.set("reward", at::nanmean(total));
  metrics.set("reward_std", nanStd(total, 0));
  metrics.set("frac_reward_zero_std", (std.abs() <= kZeroStd).to(rewards.scalar_type()).mean());
  return value.masked_fill(none, 0);
}

} // namespace maskjit::rl
