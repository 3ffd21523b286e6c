// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The layers as the program maskjit-sandbox applies them to itself before it becomes the worker.
#pragma once
#include "rl/sandbox/Spec.h"

namespace maskjit::rl {

/// Inside a new mount namespace: a root of the listed files only, read-only, with the folders `hidden` empty.
Result<void> enterFileView(const std::vector<std::string> &files, const std::vector<std::string> &hidden);

/// Landlock's version on this kernel; 0: none.
int landlockVersion();
/// From here on only the listed files open, for reading and executing. Needs no_new_privs.
Result<void> restrictFiles(const std::vector<std::string> &files);

Result<void> forbidNewPrivileges();
/// Becomes the identity without privileges; `files` must stay readable to it. Without a user namespace an ordinary user
/// keeps its own.
Result<void> dropPrivileges(const std::vector<std::string> &files);
Result<void> setLimits(const SandboxSpec &spec);

/// Of the worker, inside its namespace, and outside where the parent is root: Debian's nobody.
constexpr unsigned kNobody = 65534;

/// The clone flags of the namespaces among `layers`.
int namespaceFlags(const std::set<SandboxLayer> &layers);
/// Writes the identity maps of process `pid`, which was cloned with CLONE_NEWUSER.
Result<void> mapIdentity(int pid);

/// "<what>: <text of errno>".
Error systemError(const std::string &what);

} // namespace maskjit::rl
