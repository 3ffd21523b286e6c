// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The trainer's forward pass over completions.
#include "rl/Scores.h"
#include "rl/RouterLoss.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace maskjit::rl {

Scores scoreCompletions(const GptOss &model, const Rollout &rollout, const LogProbOptions &options,
                        bool withRouterLoss) {
  auto [ids, attention] = rollout.joined();
  Batch batch;
  batch.inputIds = ids;
  batch.attentionMask = attention;
  ForwardOptions forward;
  forward.routerLogits = withRouterLoss;
  HiddenStates states = model.forward(batch, nullptr, forward);

  // The state before a token predicts it. Only rows of real completion tokens go through the output projection.
  int64_t prompt = rollout.promptIds.size(1), length = rollout.completionIds.size(1);
  at::Tensor before = states.last.narrow(1, prompt - 1, length);
  at::Tensor chosen = rollout.completionMask.reshape({-1}).nonzero().squeeze(1);
  at::Tensor hidden = before.reshape({-1, before.size(2)}).index_select(0, chosen);
  at::Tensor tokens = rollout.completionIds.reshape({-1}).index_select(0, chosen);
  auto [logps, entropies] = tokenLogProbs(model, hidden, tokens, options);

  auto spread = [&](const at::Tensor &values) {
    return at::zeros({rollout.completionIds.numel()}, values.options().requires_grad(false))
        .index_put({chosen}, values)
        .view(rollout.completionIds.sizes());
  };
  Scores out{spread(logps), spread(entropies), {}};
  if (withRouterLoss)
    out.routerLoss = routerLoss(states.routerLogits, attention, model.config().expertsPerToken);
  return out;
}

at::Tensor completionLogps(const GptOss &model, const Rollout &rollout, const LogProbOptions &options,
                           int64_t batchRows) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> parts;
  for (int64_t row = 0; row < rollout.rows(); row += batchRows)
    parts.push_back(
        scoreCompletions(model, rollout.slice(row, std::min(batchRows, rollout.rows() - row)), options, false).logps);
  return at::cat(parts);
}

} // namespace maskjit::rl
