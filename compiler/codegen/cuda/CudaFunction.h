// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One mask.func as the body of a C++ function: infix expressions, a temporary only where a value is used twice.
#pragma once
#include "compiler/Result.h"
#include "dialects/mask/MaskDialect.h"
#include <vector>

namespace maskjit::cuda {

/// How tightly the outermost operator of an expression binds, loosest first.
enum class Binding { Conditional, Or, And, Equality, Relation, Sum, Product, Unary, Primary };

struct Expression {
  std::string text;
  Binding binding = Binding::Primary;

  /// The text, in parentheses if an operator that binds as tightly as `least` could tear it apart.
  std::string within(Binding least) const { return binding < least ? "(" + text + ")" : text; }
};

/// C++ names of the parameters: their own, or with an underscore where that is a word of C++ or of the struct.
std::string memberName(llvm::StringRef param);

struct FunctionBody {
  std::vector<std::string> statements; // temporaries, in order: `const int t0 = ...;`
  std::vector<Expression> results;     // as mask.return has them
};

/// `arguments` names the function's block arguments. A range's end is `R.end`; `R.end - 1` is written `R.last()`.
/// With a width of 64 every integer of the text is a long long; `arguments` must be so too.
Result<FunctionBody> printBody(mask::FuncOp func, unsigned width, llvm::ArrayRef<std::string> arguments);

} // namespace maskjit::cuda
