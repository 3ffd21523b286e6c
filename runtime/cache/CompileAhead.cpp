// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cache/CompileAhead.h"
#include <algorithm>

namespace maskjit {

CompileAhead::CompileAhead(std::vector<Job> jobs, int count, KernelCache &cache) : jobs(std::move(jobs)), cache(cache) {
  if (count <= 0)
    count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  for (int i = 0; i < std::min(count, static_cast<int>(this->jobs.size())); ++i)
    threads.emplace_back([this] { work(); });
}

CompileAhead::~CompileAhead() {
  next = jobs.size();
  wait();
}

void CompileAhead::wait() {
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

void CompileAhead::work() {
  for (size_t i; (i = next++) < jobs.size();)
    (void)cache.get(jobs[i].mask, jobs[i].spec, jobs[i].kind);
}

} // namespace maskjit
