// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel as bytes: one line of JSON on what it is, then the code.
#include "runtime/cache/KernelCache.h"
#include <nlohmann/json.hpp>

namespace maskjit {

using Json = nlohmann::json;

std::string KernelImage::serialize() const {
  Json entryList = Json::array(), resourceList = Json::array();
  for (const CudaKernel::Entry &e : entries)
    entryList.push_back({{"name", e.name},
                         {"threads", e.threads},
                         {"shared_bytes", e.sharedBytes},
                         {"tile_queries", e.tileQueries},
                         {"tile_keys", e.tileKeys},
                         {"cooperative", e.cooperative}});
  for (const KernelResources &r : resources)
    resourceList.push_back({{"entry", r.entry},
                            {"registers", r.registers},
                            {"stack_bytes", r.stackBytes},
                            {"spill_stores", r.spillStores},
                            {"spill_loads", r.spillLoads},
                            {"shared_bytes", r.sharedBytes}});
  const Json head = {{"mask", mask},
                     {"key", key},
                     {"phase", static_cast<int>(spec.phase)},
                     {"dtype", static_cast<int>(spec.dtype)},
                     {"head_dim", spec.headDim},
                     {"heads_per_key_head", spec.headsPerKeyHead},
                     {"structure", structure},
                     {"arch", spec.arch},
                     {"kind", static_cast<int>(kind)},
                     {"nvrtc", nvrtc},
                     {"uses_head", usesHead},
                     {"entries", entryList},
                     {"resources", resourceList}};
  return head.dump() + "\n" + image;
}

std::optional<KernelImage> KernelImage::deserialize(const std::string &bytes) {
  const size_t line = bytes.find('\n');
  const Json head = Json::parse(bytes.substr(0, line), nullptr, /*allow_exceptions=*/false);
  if (line == std::string::npos || !head.is_object())
    return std::nullopt;
  KernelImage result;
  try { // the checksum held, so this fails for files of another version only
    result.mask = head.at("mask");
    result.key = head.at("key");
    result.spec.phase = static_cast<Phase>(head.at("phase").get<int>());
    result.spec.dtype = static_cast<DType>(head.at("dtype").get<int>());
    result.spec.headDim = head.at("head_dim");
    result.spec.headsPerKeyHead = head.at("heads_per_key_head");
    result.structure = head.at("structure");
    result.spec.arch = head.at("arch");
    result.kind = static_cast<ImageKind>(head.at("kind").get<int>());
    result.nvrtc = head.at("nvrtc");
    result.usesHead = head.at("uses_head");
    for (const Json &e : head.at("entries"))
      result.entries.push_back({e.at("name"), e.at("threads"), e.at("shared_bytes"), e.at("tile_queries"),
                                e.at("tile_keys"), e.at("cooperative")});
    for (const Json &r : head.at("resources"))
      result.resources.push_back({r.at("entry"), r.at("registers"), r.at("stack_bytes"), r.at("spill_stores"),
                                  r.at("spill_loads"), r.at("shared_bytes")});
  } catch (const Json::exception &) {
    return std::nullopt;
  }
  result.image = bytes.substr(line + 1);
  return result;
}

} // namespace maskjit
