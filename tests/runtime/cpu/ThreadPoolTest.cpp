// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// parallelFor covers its range once, in any circumstances.
#include "runtime/cpu/ThreadPool.h"
#include <atomic>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace maskjit {
namespace {

std::vector<int> counts(int64_t n, int threads = 0) {
  std::vector<std::atomic<int>> seen(n);
  parallelFor(
      n,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          ++seen[i];
      },
      threads);
  return {seen.begin(), seen.end()};
}

TEST(ThreadPool, EveryItemOnce) {
  for (int64_t n : {0, 1, 2, 31, 1000, 4097})
    for (int threads : {0, 1, 2, 100})
      EXPECT_EQ(counts(n, threads), std::vector<int>(n, 1)) << n << " items, " << threads << " threads";
}

TEST(ThreadPool, NestedLoopsRunInPlace) {
  std::atomic<int> sum{0};
  parallelFor(10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      parallelFor(10, [&](int64_t b, int64_t e) { sum += int(e - b); });
  });
  EXPECT_EQ(sum, 100);
}

TEST(ThreadPool, CallersTakeTurns) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        wrong += counts(100) != std::vector<int>(100, 1);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, WorksInAForkedChild) {
  EXPECT_EQ(counts(100), std::vector<int>(100, 1));
  const pid_t child = fork();
  if (child == 0)
    _exit(counts(100) == std::vector<int>(100, 1) ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

} // namespace
} // namespace maskjit
