// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the probe found, in words and as JSON.
#include "rl/sandbox/Report.h"
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace maskjit::rl {

const char *nameOf(SandboxLayer layer) {
  switch (layer) {
  case SandboxLayer::UserNamespace:
    return "user namespace";
  case SandboxLayer::PidNamespace:
    return "pid namespace";
  case SandboxLayer::NetworkNamespace:
    return "network namespace";
  case SandboxLayer::MountNamespace:
    return "mount namespace";
  case SandboxLayer::Seccomp:
    return "seccomp";
  case SandboxLayer::Landlock:
    return "Landlock";
  case SandboxLayer::Rlimits:
    return "rlimits";
  case SandboxLayer::NoNewPrivileges:
    return "no new privileges";
  }
  return "";
}

bool SandboxReport::has(SandboxLayer layer) const { return active().count(layer) != 0; }

std::set<SandboxLayer> SandboxReport::active() const {
  std::set<SandboxLayer> found;
  for (const LayerStatus &status : layers)
    if (status.active)
      found.insert(status.layer);
  return found;
}

std::string SandboxReport::explain() const {
  std::string text;
  for (const LayerStatus &status : layers)
    text += fmt::format("{:<18} {}\n", nameOf(status.layer), status.active ? "active" : "missing: " + status.reason);
  return text + (meetsMinimum ? "enough for code rewards\n"
                              : "not enough for code rewards, which need no new privileges, rlimits, seccomp, and a "
                                "mount namespace or Landlock\n");
}

void judge(SandboxReport &report) {
  using Layer = SandboxLayer;
  report.meetsMinimum = report.has(Layer::NoNewPrivileges) && report.has(Layer::Rlimits) &&
                        report.has(Layer::Seccomp) &&
                        (report.has(Layer::MountNamespace) || report.has(Layer::Landlock));
}

std::string toJson(const SandboxReport &report) {
  nlohmann::ordered_json document = {{"layers", nlohmann::ordered_json::array()},
                                     {"meetsMinimum", report.meetsMinimum}};
  for (const LayerStatus &status : report.layers)
    document["layers"].push_back(
        {{"name", nameOf(status.layer)}, {"active", status.active}, {"reason", status.reason}});
  return document.dump(2);
}

Result<SandboxReport> reportFromJson(const std::string &text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("layers"))
    return Error{fmt::format("maskjit-sandbox --probe was expected to print JSON with layers, and printed '{}'", text)};
  SandboxReport report;
  for (const nlohmann::json &entry : document.at("layers"))
    for (SandboxLayer layer : kAllLayers)
      if (entry.value("name", "") == nameOf(layer))
        report.layers.push_back({layer, entry.value("active", false), entry.value("reason", "")});
  judge(report);
  return report;
}

} // namespace maskjit::rl
