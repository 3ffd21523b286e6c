// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads wait for a loop, take ranges of it from a counter, and wait again.
#include "runtime/cpu/ThreadPool.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <sched.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace maskjit {
namespace {

thread_local bool insideLoop = false;

/// One loop. `next` hands out ranges of `grain` items, small enough that threads end together.
struct Loop {
  const std::function<void(int64_t, int64_t)> *fn;
  int64_t n, grain;
  std::atomic<int64_t> next{0};

  void work() {
    insideLoop = true;
    for (int64_t begin; (begin = next.fetch_add(grain, std::memory_order_relaxed)) < n;)
      (*fn)(begin, std::min(begin + grain, n));
    insideLoop = false;
  }
};

class ThreadPool {
public:
  explicit ThreadPool(int helpers) {
    for (int i = 0; i < helpers; ++i)
      std::thread([this] { help(); }).detach(); // they live as long as the process and hold nothing at its end
  }

  void run(Loop &loop, int helpers) {
    std::unique_lock turn(callers);
    {
      std::lock_guard lock(mutex);
      current = &loop;
      wanted = helpers;
    }
    wake.notify_all();
    loop.work();
    std::unique_lock lock(mutex);
    current = nullptr; // whoever has not begun need not any more
    wanted = 0;
    done.wait(lock, [&] { return working == 0; });
  }

private:
  void help() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return current && wanted > 0; });
      Loop &loop = *current;
      --wanted;
      ++working;
      lock.unlock();
      loop.work();
      lock.lock();
      if (--working == 0)
        done.notify_one();
    }
  }

  std::mutex callers, mutex;
  std::condition_variable wake, done;
  Loop *current = nullptr;
  int wanted = 0, working = 0;
};

/// The process's pool. A child of fork has none of its parent's threads and gets its own.
ThreadPool &pool() {
  static std::mutex mutex;
  static ThreadPool *instance = nullptr; // never destroyed: its threads outlive static destruction
  static pid_t owner = 0;
  std::lock_guard lock(mutex);
  if (!instance || owner != getpid()) {
    instance = new ThreadPool(threadCount() - 1);
    owner = getpid();
  }
  return *instance;
}

} // namespace

int threadCount() {
  static const int count = [] {
    if (const char *text = std::getenv("MASKJIT_THREADS"))
      if (int wanted = std::atoi(text); wanted > 0)
        return std::min(wanted, 1024);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
      return std::max(CPU_COUNT(&set), 1);
    return std::max(int(std::thread::hardware_concurrency()), 1);
  }();
  return count;
}

void parallelFor(int64_t n, const std::function<void(int64_t, int64_t)> &fn, int threads) {
  const int most = threads > 0 ? std::min(threads, threadCount()) : threadCount();
  const int64_t useful = std::min<int64_t>(most, n);
  if (n <= 0)
    return;
  if (useful == 1 || insideLoop)
    return fn(0, n);
  Loop loop{&fn, n, std::max<int64_t>(1, n / (useful * 16))};
  pool().run(loop, int(useful) - 1);
}

} // namespace maskjit
