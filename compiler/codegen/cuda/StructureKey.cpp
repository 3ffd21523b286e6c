// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/codegen/cuda/StructureKey.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/xxhash.h"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit::cuda {

const std::vector<std::string> &compileOptions() {
  static const std::vector<std::string> options = {"--std=c++17", "-default-device"};
  return options;
}

const char *deviceType(DType dtype) { return dtype == DType::F16 ? "fp16" : dtype == DType::BF16 ? "bf16" : "fp32"; }

static std::string hexDigest(const std::string &text) {
  const llvm::XXH128_hash_t hash =
      llvm::xxh3_128bits(llvm::ArrayRef(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

static const std::string &deviceDigest() {
  static const std::string digest = [] {
    std::string all;
    for (const DeviceHeader &header : deviceHeaders())
      all += fmt::format("{} {}\n{}", header.name, header.text.size(), header.text);
    return hexDigest(all);
  }();
  return digest;
}

std::string structureKey(int generator, const std::string &structure) {
  return hexDigest(fmt::format("generator {}; {}; device {}; options {}", generator, structure, deviceDigest(),
                               fmt::join(compileOptions(), " ")));
}

} // namespace maskjit::cuda
