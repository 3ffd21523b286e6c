// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text to syntax tree.
#pragma once
#include "compiler/frontend/Ast.h"

namespace maskjit::frontend {

/// Parses a whole file. The trees of its imports stay empty: Imports.h fills them.
Result<std::shared_ptr<SyntaxTree>> parseFile(SourceFile source);

/// Words that cannot name anything.
bool isReserved(std::string_view word);

} // namespace maskjit::frontend
