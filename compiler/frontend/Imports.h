// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads .mask files with everything they import: shipped masks by name, files by their path relative to the importer.
#pragma once
#include "compiler/frontend/Ast.h"

namespace maskjit::frontend {

/// Parses `text`, a file called `file`, and what it imports. A cycle of imports is an error at the import that closes
/// it.
Result<std::shared_ptr<const SyntaxTree>> loadText(std::string text, std::string file);
Result<std::shared_ptr<const SyntaxTree>> loadFile(const std::string &path);
Result<std::shared_ptr<const SyntaxTree>> loadShipped(const std::string &name);

/// Names of the shipped masks, sorted.
std::vector<std::string> shippedNames();
bool isShipped(std::string_view name);

} // namespace maskjit::frontend
