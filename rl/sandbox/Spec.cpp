// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The specification of a sandbox as CBOR.
#include "rl/sandbox/Spec.h"
#include <nlohmann/json.hpp>

namespace maskjit::rl {

using nlohmann::json;

static json binary(const std::string &bytes) { return json::binary(std::vector<uint8_t>(bytes.begin(), bytes.end())); }
static std::string text(const json &value) {
  const json::binary_t &bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

std::string SandboxSpec::encode() const {
  json document = {{"argv", argv},
                   {"files", files},
                   {"hidden", hidden},
                   {"memory", limits.memoryBytes},
                   {"resident", limits.residentBytes},
                   {"cpuSeconds", limits.cpuSeconds},
                   {"processes", limits.processes},
                   {"messages", messages},
                   {"zygote", zygote},
                   {"cpu", cpu},
                   {"lockdown", lockdown},
                   {"startFilter", binary(startFilter)},
                   {"finalFilter", binary(finalFilter)}};
  for (SandboxLayer layer : layers)
    document["layers"].push_back(static_cast<int>(layer));
  std::string bytes;
  json::to_cbor(document, bytes);
  return bytes;
}

SandboxSpec SandboxSpec::decode(const std::string &bytes) {
  const json document = json::from_cbor(bytes);
  SandboxSpec spec;
  document.at("argv").get_to(spec.argv);
  document.at("files").get_to(spec.files);
  document.at("hidden").get_to(spec.hidden);
  document.at("memory").get_to(spec.limits.memoryBytes);
  document.at("resident").get_to(spec.limits.residentBytes);
  document.at("cpuSeconds").get_to(spec.limits.cpuSeconds);
  document.at("processes").get_to(spec.limits.processes);
  document.at("messages").get_to(spec.messages);
  document.at("zygote").get_to(spec.zygote);
  document.at("cpu").get_to(spec.cpu);
  document.at("lockdown").get_to(spec.lockdown);
  spec.startFilter = text(document.at("startFilter"));
  spec.finalFilter = text(document.at("finalFilter"));
  for (const json &layer : document.value("layers", json::array()))
    spec.layers.insert(static_cast<SandboxLayer>(layer.get<int>()));
  return spec;
}

} // namespace maskjit::rl
