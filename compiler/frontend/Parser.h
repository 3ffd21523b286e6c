// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text to syntax tree.
//
//   file       := ('import' '"' NAME | PATH '"')* mask+
//   mask       := 'mask' NAME '(' coordinate (',' coordinate)* (';' param (',' param)*)? ')' '=' expression
//                 ('score' '(' NAME ')' '=' expression)?
//   coordinate := 'b' | 'h' | 'q' | 'k'
//   param      := 'static'? NAME ('[' coordinate ']')? 'sorted'? ':' ('int' INTEGER '..' INTEGER | 'float') ('='
//   NUMBER)? expression := ('let' NAME '=' expression ';')* operators: || && comparisons + - * / % - !, from loose to
//   tight primary    := NUMBER | 'true' | 'false' | NAME | NAME '[' expression ']' | '(' expression ')'
//               | NAME '(' expression (',' expression)* (';' (NAME '=')? expression (',' ...)*)? ')'
//
// `2^28` is an integer literal, `//` begins a comment. `/` and `%` round down; in a score `/` is the quotient of fp32
// (not in an array's index). Comparisons chain: 0 <= q - k < window. Functions: min max abs; in scores also tanh exp
// log sqrt and pow with a constant exponent. Which names and types fit is checked when the mask is emitted
// (MaskEmitter.h).
#pragma once
#include "compiler/frontend/Ast.h"

namespace maskjit::frontend {

/// Parses a whole file. The trees of its imports stay empty: Imports.h fills them.
Result<std::shared_ptr<SyntaxTree>> parseFile(SourceFile source);

/// Words that cannot name anything.
bool isReserved(std::string_view word);

} // namespace maskjit::frontend
