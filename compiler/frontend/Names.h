// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the language's functions, and the guess at what a misspelled name meant.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::frontend {

/// min, max, abs, and those of a score: tanh, exp, log, sqrt, pow.
bool isFunction(std::string_view word);

/// "did you mean 'window'?" if a candidate is near enough to `name`, else nothing.
std::string didYouMean(std::string_view name, const std::vector<std::string> &candidates);

/// 'a', 'b' and 'c'
std::string quotedList(const std::vector<std::string> &names);

} // namespace maskjit::frontend
