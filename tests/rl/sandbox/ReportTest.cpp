// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The probe's report: what is enough, what its messages say, and that it survives the way through JSON.
#include "rl/sandbox/Report.h"
#include "tests/rl/sandbox/Fixture.h"
#include <gmock/gmock.h>

namespace maskjit::rl {
namespace {

using testing::HasSubstr;
using Layer = SandboxLayer;

SandboxReport reportWithout(const std::set<Layer> &missing) {
  SandboxReport report;
  for (Layer layer : kAllLayers)
    report.layers.push_back({layer, missing.count(layer) == 0, missing.count(layer) ? "not on this kernel" : ""});
  judge(report);
  return report;
}

TEST(Report, NamespacesMayBeMissing) {
  const SandboxReport report =
      reportWithout({Layer::UserNamespace, Layer::PidNamespace, Layer::NetworkNamespace, Layer::MountNamespace});
  EXPECT_TRUE(report.meetsMinimum);
  EXPECT_TRUE(requireSandbox(report, false));
}

TEST(Report, FilesMustBeHiddenOneWayOrTheOther) {
  EXPECT_TRUE(reportWithout({Layer::Landlock}).meetsMinimum);
  EXPECT_FALSE(reportWithout({Layer::Landlock, Layer::MountNamespace}).meetsMinimum);
}

TEST(Report, SomeLayersAreNeededAlways) {
  for (Layer layer : {Layer::Seccomp, Layer::Rlimits, Layer::NoNewPrivileges})
    EXPECT_FALSE(reportWithout({layer}).meetsMinimum) << nameOf(layer);
}

TEST(Report, TheRefusalSaysWhatIsMissingAndWhatToDo) {
  const SandboxReport weak = reportWithout({Layer::Seccomp});
  const Result<void> refused = requireSandbox(weak, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("seccomp            missing: not on this kernel"));
  EXPECT_THAT(refused.error().message, HasSubstr("--allow-weak-sandbox"));
  EXPECT_TRUE(requireSandbox(weak, true));
}

TEST(Report, SurvivesJson) {
  const SandboxReport report = reportWithout({Layer::Landlock, Layer::PidNamespace});
  const Result<SandboxReport> again = reportFromJson(toJson(report));
  ASSERT_OK(again);
  EXPECT_EQ(again->explain(), report.explain());
  EXPECT_EQ(again->active(), report.active());
  EXPECT_FALSE(reportFromJson("segmentation fault"));
}

TEST(Report, ThisMachineIsProbed) {
  const Result<SandboxReport> report = probeSandbox();
  ASSERT_OK(report);
  EXPECT_EQ(report->layers.size(), std::size(kAllLayers));
  EXPECT_TRUE(report->meetsMinimum) << report->explain();
}

} // namespace
} // namespace maskjit::rl
