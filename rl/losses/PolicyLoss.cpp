// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ratio, masks, KL and aggregation around the families' policy terms.
#include "rl/losses/PolicyLoss.h"
#include "rl/losses/PolicyTerm.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

namespace maskjit::rl {

at::Tensor maskedMean(const at::Tensor &value, const at::Tensor &mask) {
  if (value.size(1) == 1)
    return value.mean();
  return (value * mask).sum() / mask.sum().clamp_min(1);
}

/// 1 at the tokens whose entropy is in the top `share` of all counted tokens.
static at::Tensor topEntropyMask(const at::Tensor &entropies, const at::Tensor &counted, double share) {
  at::Tensor chosen = entropies.detach().masked_select(counted);
  if (chosen.numel() == 0)
    return at::zeros_like(entropies);
  at::Tensor threshold = at::quantile(chosen.to(at::kFloat), 1 - share);
  return ((entropies.detach() >= threshold) & counted).to(entropies.scalar_type());
}

/// 0 for sequences with a negative advantage that the current policy has drifted away from: [B, 1].
static at::Tensor offPolicyMask(const PolicyInputs &in, const at::Tensor &samplingLogps, double threshold) {
  at::Tensor drift = ((samplingLogps - in.logps.detach()) * in.mask).sum(1, true) / in.mask.sum(1, true).clamp_min(1);
  return ((in.advantages >= 0) | (drift <= threshold)).to(in.mask.scalar_type());
}

/// Sums `term` over tokens and sequences as the loss type asks; `accumulation` divides the families that average.
static at::Tensor aggregate(const at::Tensor &term, const at::Tensor &mask, const at::Tensor &itemsInBatch,
                            const LossOptions &o, double accumulation) {
  at::Tensor masked = term * mask;
  switch (o.type) {
  case LossType::Grpo:
  case LossType::Sapo:
    return (masked.sum(1) / mask.sum(1).clamp_min(1)).mean() / accumulation;
  case LossType::Bnpo:
    return masked.sum() / mask.sum().clamp_min(1) / accumulation;
  case LossType::DrGrpo:
    return masked.sum() / (double(term.size(0)) * double(o.maxCompletionLength)) / accumulation;
  case LossType::Luspo:
    return masked.sum(1).mean() / accumulation;
  case LossType::Dapo:
  case LossType::Cispo:
  case LossType::Vespo: {
    TORCH_CHECK(itemsInBatch.defined(), "this loss type divides by the step's completion tokens: give itemsInBatch");
    at::Tensor items = itemsInBatch.to(masked.scalar_type()).clamp_min(1);
    if (!o.training)
      return masked.sum() / items;
    // Every micro-batch divides by the tokens of the whole generation batch: a share of one optimizer step.
    return masked.sum() / (items / double(o.processes) * accumulation / double(o.stepsPerGeneration));
  }
  }
  TORCH_CHECK(false, "unknown loss type ", int(o.type));
}

static bool averagesBySequenceOrToken(LossType type) {
  return type != LossType::Dapo && type != LossType::Cispo && type != LossType::Vespo;
}

at::Tensor policyLoss(const LossInputs &in, const LossOptions &o, Metrics &metrics) {
  at::Tensor counted = in.mask.to(at::kBool);
  // Padding may hold anything, infinities of a softmax too: zero it before any exp, so that no NaN reaches the sums.
  auto zeroed = [&](const at::Tensor &t) { return at::where(counted, t, at::zeros({}, t.options())); };

  PolicyInputs p;
  p.mask = in.mask.to(in.logps.scalar_type());
  p.logps = zeroed(in.logps);
  p.advantages = in.advantages.unsqueeze(1);
  p.correction = in.correction;
  at::Tensor old = in.oldLogps.defined() ? zeroed(in.oldLogps) : p.logps.detach();
  p.logRatio = p.logps - old;
  at::Tensor logWeight = o.level == ImportanceLevel::Token
                             ? p.logRatio
                             : (p.logRatio * p.mask).sum(1, true) / p.mask.sum(1, true).clamp_min(1);
  p.weight = logWeight.exp();
  at::Tensor entropies = zeroed(in.entropies);

  at::Tensor term;
  switch (o.type) {
  case LossType::Cispo:
    term = cispoTerm(p, o, metrics);
    break;
  case LossType::Sapo:
    term = sapoTerm(p, o);
    break;
  case LossType::Vespo:
    term = vespoTerm(p, o, metrics);
    break;
  default:
    term = clippedTerm(p, o, metrics);
  }

  if (o.offPolicyMaskThreshold)
    term =
        term * offPolicyMask(p, in.samplingLogps.defined() ? zeroed(in.samplingLogps) : old, *o.offPolicyMaskThreshold);
  at::Tensor kept = p.mask;
  if (o.topEntropyQuantile < 1) {
    kept = topEntropyMask(entropies, counted, o.topEntropyQuantile);
    term = term * kept;
  }
  if (in.correction.defined() && o.type != LossType::Vespo) // vespo has it in its weight
    term = term * in.correction;
  if (o.beta != 0) {
    TORCH_CHECK(in.refLogps.defined(), "beta is ", o.beta, ": the KL term needs reference log-probabilities");
    at::Tensor difference = zeroed(in.refLogps) - p.logps;
    at::Tensor kl = difference.exp() - difference - 1;
    if (o.useBiasCorrectionKl)
      kl = kl * p.weight;
    term = term + o.beta * kl;
    metrics.set("kl", maskedMean(kl.detach(), p.mask));
  }

  double accumulation = o.training ? double(o.gradientAccumulationSteps) : 1;
  at::Tensor loss = aggregate(term, p.mask, in.itemsInBatch, o, accumulation);
  if (o.entropyCoef != 0) {
    double undo = averagesBySequenceOrToken(o.type) ? accumulation : 1;
    metrics.set("policy_loss", loss.detach() * undo);
    metrics.set("entropy_coef", o.entropyCoef);
    loss = loss - o.entropyCoef * (entropies * kept).sum() / kept.sum().clamp_min(1) / accumulation;
  }
  metrics.set("entropy", maskedMean(entropies.detach(), p.mask));
  return loss;
}

} // namespace maskjit::rl
