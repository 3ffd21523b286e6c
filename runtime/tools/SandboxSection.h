// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `maskjit doctor` says about the sandbox for code rewards.
#pragma once
#include <string>
#include <vector>

namespace maskjit {

/// Lines of text. Asks the program maskjit-sandbox beside this one, which is built with LibTorch's part.
std::vector<std::string> describeSandbox();
/// The same out of what that program prints.
std::vector<std::string> describeSandbox(const std::string &probe);

} // namespace maskjit
