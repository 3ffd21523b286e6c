// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One allocation: guard, A, guard, B, guard, C, guard.
#include "rl/judge/runner/DeviceArena.h"
#include <algorithm>
#include <string>
#include <vector>

namespace maskjit::rl {

constexpr size_t kGuardBytes = size_t(1) << 20; // a tile's row or more of a matrix that is too small
constexpr unsigned char kGuard = 0xa5;
constexpr size_t kAlignment = 256;

Result<void> DeviceArena::allocate(const size_t (&bytes)[3]) {
  total = kGuardBytes;
  for (int i = 0; i < 3; ++i) {
    offsets[i] = total;
    sizes[i] = bytes[i];
    total += (bytes[i] + kAlignment - 1) / kAlignment * kAlignment + kGuardBytes;
  }
  Result<void *> block = memory.allocate(total);
  if (!block)
    return block.error();
  base = reinterpret_cast<cuda::DevicePtr>(*block);
  return {};
}

Result<void> DeviceArena::upload(char *const (&host)[3]) {
  const cuda::Driver &driver = *cuda::Driver::load();
  int code = driver.memsetD8(base, kGuard, total);
  for (int i = 0; i < 3 && !code; ++i)
    code = driver.memcpyHtoD(address(i), host[i], sizes[i]);
  if (auto done = driver.check(code, "copying to the GPU"); !done)
    return done;
  return memory.synchronize();
}

Result<void> DeviceArena::download(char *const (&host)[3]) {
  size_t begin = 0;
  for (int i = 0; i <= 3; ++i) {
    size_t end = i < 3 ? offsets[i] : total;
    std::vector<unsigned char> guard(end - begin);
    if (auto done = memory.download(guard.data(), reinterpret_cast<void *>(base + begin), guard.size()); !done)
      return done;
    if (std::any_of(guard.begin(), guard.end(), [](unsigned char c) { return c != kGuard; }))
      return Error{std::string("the kernel wrote outside its matrices, ") + (i == 0   ? "before A"
                                                                             : i == 1 ? "after A"
                                                                             : i == 2 ? "after B"
                                                                                      : "after C")};
    if (i == 3)
      break;
    if (auto done = memory.download(host[i], reinterpret_cast<void *>(address(i)), sizes[i]); !done)
      return done;
    begin = offsets[i] + sizes[i];
  }
  return {};
}

} // namespace maskjit::rl
