// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a worker, its lock-down library and the parent agree on.
#pragma once
#include <cstdint>

namespace maskjit::rl {

enum WorkerDescriptor : int {
  kRequests = 3,
  kReplies = 4,
  kShared = 5,
  kLockdown = 6, // a LockdownHeader and the final filter; read and closed before main()
  kZygote = 7,   // where a zygote takes its orders
};

struct LockdownHeader {
  uint32_t zygote; // 1: fork at the first read of a request instead of locking down
  uint32_t cpuSeconds;
};

/// Most children of a zygote at a time.
constexpr int kZygoteChildren = 200;

/// First byte on the reply channel: the final filter holds.
constexpr char kLockedMark = 'L';

/// The exit code after a forbidden system call, whose number stands in the last line on standard error after the
/// prefix.
constexpr int kForbiddenExit = 159; // 128 + SIGSYS
#define MASKJIT_FORBIDDEN_PREFIX "\nmaskjit-sandbox: forbidden system call "

} // namespace maskjit::rl
