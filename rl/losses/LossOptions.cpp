// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the loss options.
#include "rl/losses/LossOptions.h"
#include <stdexcept>

namespace maskjit::rl {

LossType parseLossType(std::string_view name) {
  static constexpr std::pair<std::string_view, LossType> names[] = {
      {"grpo", LossType::Grpo},   {"bnpo", LossType::Bnpo}, {"dr_grpo", LossType::DrGrpo}, {"dapo", LossType::Dapo},
      {"cispo", LossType::Cispo}, {"sapo", LossType::Sapo}, {"luspo", LossType::Luspo},    {"vespo", LossType::Vespo}};
  for (auto [text, type] : names)
    if (text == name)
      return type;
  throw std::runtime_error("loss_type '" + std::string(name) +
                           "' is unknown; use grpo, bnpo, dr_grpo, dapo, cispo, sapo, luspo or vespo");
}

ImportanceLevel parseImportanceLevel(std::string_view name) {
  if (name == "token")
    return ImportanceLevel::Token;
  if (name == "sequence")
    return ImportanceLevel::Sequence;
  throw std::runtime_error("importance_sampling_level '" + std::string(name) + "' is unknown; use token or sequence");
}

} // namespace maskjit::rl
