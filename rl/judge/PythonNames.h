// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What it means that a Python program imports a module, calls a withheld function or causes an audit event.
#pragma once
#include "rl/judge/Worker.h"

namespace maskjit::rl {

/// The cheat that an import of `module` ("os.path") is; 0: a module without harm, that is withheld all the same.
int cheatOfModule(std::string_view module);
/// The same of a function of `builtins` that the judge withholds.
int cheatOfBuiltin(std::string_view name);

/// Of what runner.py reports: "import NAME", "builtin NAME", "event NAME details" (sys.audit), or
/// "result TYPE", "row TYPE", "element TYPE", "lazy TYPE", "empty list" of what matmul returned.
Fault faultOfPython(const std::string &report);

} // namespace maskjit::rl
