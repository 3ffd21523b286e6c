// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads programs and makes judges.
#include "tests/rl/judge/Fixture.h"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace maskjit::rl {

static std::string pathOf(const std::string &folder, const std::string &name) {
  return std::string(MASKJIT_JUDGE_PROGRAMS) + "/" + folder + "/" + name;
}

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> programsIn(const std::string &folder, Language language) {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(pathOf(folder, "")))
    if (languageOfFile(entry.path().string()) == language)
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string programText(const std::string &folder, const std::string &name) { return readText(pathOf(folder, name)); }

JudgeOptions smallOptions(Language language) {
  JudgeOptions options;
  options.language = language;
  int side = language == Language::Python ? 24 : language == Language::C ? 64 : 256;
  options.shape = {side, side, side};
  options.trials = 3;
  options.timeoutSeconds = 4;
  options.allowWeakSandbox = true;
  return options;
}

std::unique_ptr<Judge> makeJudge(const JudgeOptions &options) {
  Result<std::unique_ptr<Judge>> judge = Judge::create(options);
  if (!judge) {
    ADD_FAILURE() << judge.error().message;
    return nullptr;
  }
  return std::move(*judge);
}

std::string testName(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return text;
}

} // namespace maskjit::rl
