// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device headers as NVRTC gets them: by name, from memory.
#include "compiler/Compiler.h"
#include "compiler/EmbeddedFile.h"

namespace maskjit {

extern const EmbeddedFile deviceFiles[];
extern const size_t deviceFilesCount;

const std::vector<DeviceHeader> &deviceHeaders() {
  static const std::vector<DeviceHeader> headers = [] {
    std::vector<DeviceHeader> list;
    for (size_t i = 0; i < deviceFilesCount; ++i)
      list.push_back({deviceFiles[i].name, {deviceFiles[i].data, deviceFiles[i].size}});
    return list;
  }();
  return headers;
}

const std::vector<std::string> &architectures() {
  static const std::vector<std::string> list = {"sm_75",  "sm_80",  "sm_86",  "sm_89",
                                                "sm_90a", "sm_100", "sm_103", "sm_120"};
  return list;
}

} // namespace maskjit
