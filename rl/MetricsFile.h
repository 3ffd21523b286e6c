// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// metrics.jsonl of an output directory: one JSON object a line.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace maskjit::rl {

/// Empties the file of an earlier run.
void startMetricsFile(const std::string &directory);
void appendMetricsLine(const std::string &directory, const nlohmann::json &line);
/// Drops lines after `step`, written by a run that went on past the checkpoint it is resumed from.
void cutMetricsFile(const std::string &directory, int64_t step);

/// Throws std::runtime_error naming the first setting that differs between a checkpoint and this run.
void requireSameSettings(const nlohmann::json &saved, const nlohmann::json &now, const std::string &checkpoint);

} // namespace maskjit::rl
