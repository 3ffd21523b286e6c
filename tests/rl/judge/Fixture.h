// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs of the two folders beside this file, and judges of small shapes for them.
#pragma once
#include "rl/judge/Judge.h"
#include <gtest/gtest.h>

namespace maskjit::rl {

std::string readText(const std::string &path);
/// `folder`: "cheats" or "honest". Names of its files in `language`, sorted.
std::vector<std::string> programsIn(const std::string &folder, Language language);
std::string programText(const std::string &folder, const std::string &name);

/// Shapes that keep a test short: 24 cubed for Python, 64 cubed for C. Three trials, four seconds a step. The machine
/// may have a weak sandbox: the judge's own measures are what is tested.
JudgeOptions smallOptions(Language language);
std::unique_ptr<Judge> makeJudge(const JudgeOptions &options);

/// A test's name: letters, digits, underscores.
std::string testName(std::string text);

} // namespace maskjit::rl
