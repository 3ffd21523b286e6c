// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// arc4random for LLVM: Debian's archives ask glibc 2.36 for it, so defining it here lets the library run on 2.35.
#include <cstdint>
#include <sys/random.h>

extern "C" __attribute__((visibility("hidden"))) uint32_t arc4random() {
  uint32_t value = 0;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return value;
}
