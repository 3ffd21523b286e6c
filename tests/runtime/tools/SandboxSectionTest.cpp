// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sandbox's lines of `maskjit doctor`, with everything active, with some missing, and from a program that says
// nothing.
#include "runtime/tools/SandboxSection.h"
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SandboxSection, NamesActiveAndMissingLayers) {
  EXPECT_THAT(describeSandbox(R"({"layers": [{"name": "seccomp", "active": true, "reason": ""},
                                            {"name": "Landlock", "active": false, "reason": "Function not implemented"},
                                            {"name": "rlimits", "active": true, "reason": ""}], "meetsMinimum": false})"),
              ElementsAre("active: seccomp, rlimits", "missing: Landlock (Function not implemented)",
                          HasSubstr("--allow-weak-sandbox")));
}

TEST(SandboxSection, SaysWhenItIsEnough) {
  EXPECT_THAT(
      describeSandbox(R"({"layers": [{"name": "seccomp", "active": true, "reason": ""}], "meetsMinimum": true})"),
      ElementsAre("active: seccomp", "enough for training with code rewards"));
}

TEST(SandboxSection, SaysWhatItCannotRead) {
  EXPECT_THAT(describeSandbox(""), ElementsAre(HasSubstr("expected to print JSON with layers, and printed ''")));
}

} // namespace
} // namespace maskjit
