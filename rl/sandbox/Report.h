// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The probe's findings between maskjit-sandbox --probe and those who ask.
#pragma once
#include "rl/sandbox/Sandbox.h"

namespace maskjit::rl {

constexpr SandboxLayer kAllLayers[] = {SandboxLayer::UserNamespace,    SandboxLayer::PidNamespace,
                                       SandboxLayer::NetworkNamespace, SandboxLayer::MountNamespace,
                                       SandboxLayer::Seccomp,          SandboxLayer::Landlock,
                                       SandboxLayer::Rlimits,          SandboxLayer::NoNewPrivileges};

/// Fills in meetsMinimum.
void judge(SandboxReport &report);

std::string toJson(const SandboxReport &report);
Result<SandboxReport> reportFromJson(const std::string &text);

} // namespace maskjit::rl
