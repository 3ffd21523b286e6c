// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// config.json of a gpt-oss checkpoint, in either of its two spellings.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace maskjit {

struct Config {
  int64_t vocabSize = 0, hiddenSize = 0, intermediateSize = 0, layers = 0, headsQ = 0, headsKv = 0, headDim = 0;
  int64_t experts = 0, expertsPerToken = 0, slidingWindow = 0;
  std::vector<bool> sliding; // a layer: sliding_attention, else full_attention
  double rmsNormEps = 1e-5, swigluLimit = 7.0, swigluAlpha = 1.702, initializerRange = 0.02, routerAuxLossCoef = 0.9;
  double ropeTheta = 150000, ropeFactor = 32, ropeBetaFast = 32, ropeBetaSlow = 1;
  int64_t ropeOriginalLength = 4096;
  bool ropeTruncate = false;
  int64_t maxPositions = 131072;
  int64_t padTokenId = -1;
  std::vector<int64_t> eosTokenIds; // of generation_config.json, else of config.json
  std::string json;                 // the file as read, for saving

  /// Reads `directory`/config.json and generation_config.json. Throws std::runtime_error naming file and field.
  static Config load(const std::string &directory);
  /// The same from the text of config.json; `file` names it in messages.
  static Config parse(const std::string &text, const std::string &file);
  /// Text of a config.json: `json` as it was read, or all fields, with `dtype` ("bfloat16", "float32") and without
  /// the description of a quantization.
  std::string toJson(const std::string &dtype) const;
};

} // namespace maskjit
