// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The options of the policy losses, by TRL's names and with its defaults.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace maskjit::rl {

enum class LossType { Grpo, Bnpo, DrGrpo, Dapo, Cispo, Sapo, Luspo, Vespo };
enum class ImportanceLevel { Token, Sequence };

struct LossOptions {
  LossType type = LossType::Dapo;
  ImportanceLevel level = ImportanceLevel::Token;
  double epsilon = 0.2;
  std::optional<double> epsilonHigh; // defaults to epsilon
  std::optional<double> delta;       // upper bound of the weight in the unclipped branch
  double beta = 0;
  bool useBiasCorrectionKl = true; // multiply the KL term by the importance weight
  double topEntropyQuantile = 1;   // share of tokens, the most uncertain ones, that the policy term keeps
  double entropyCoef = 0;
  std::optional<double> offPolicyMaskThreshold;
  double sapoTemperaturePos = 1.0, sapoTemperatureNeg = 1.05;
  double vespoKPos = 2, vespoLambdaPos = 3, vespoKNeg = 3, vespoLambdaNeg = 2;

  int64_t maxCompletionLength = 256; // the divisor of dr_grpo
  int64_t gradientAccumulationSteps = 1, stepsPerGeneration = 1, processes = 1;
  bool training = true; // false: no division by accumulation steps

  double upperEpsilon() const { return epsilonHigh.value_or(epsilon); }
};

/// "grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo". Throws std::runtime_error listing them.
LossType parseLossType(std::string_view name);
/// "token" or "sequence" (GSPO).
ImportanceLevel parseImportanceLevel(std::string_view name);

} // namespace maskjit::rl
