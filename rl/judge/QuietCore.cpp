// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "rl/judge/QuietCore.h"
#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

namespace maskjit::rl {

constexpr int kElements = 4096, kPasses = 50;   // two arrays of 16 KiB, some 30 us
constexpr int kCalibrations = 200, kProbes = 3; // an interrupt disturbs one of them
constexpr double kSlower = 1.05;                // a busy neighbour: 1.1 and more
constexpr std::chrono::milliseconds kPause(5);

static double threadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// Independent products and sums, as many as the core can issue.
[[gnu::noinline]] static void fill(float factor, const float *x, float *y) {
  for (int i = 0; i < kElements; ++i)
    y[i] += factor * x[i];
}

static double probe() {
  static thread_local float x[kElements], y[kElements];
  const double begin = threadSeconds();
  for (int i = 0; i < kPasses; ++i)
    fill(1e-9f, x, y);
  return threadSeconds() - begin;
}

void QuietCore::calibrate() {
  least = probe();
  for (int i = 1; i < kCalibrations; ++i)
    least = std::min(least, probe());
}

bool QuietCore::isQuiet() {
  if (least == 0)
    calibrate();
  double now = probe();
  for (int i = 1; i < kProbes; ++i)
    now = std::min(now, probe());
  least = std::min(least, now);
  return now <= kSlower * least;
}

void QuietCore::await(double &patienceSeconds) {
  const auto begin = std::chrono::steady_clock::now();
  auto spent = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  while (spent() < patienceSeconds && !isQuiet())
    std::this_thread::sleep_for(kPause);
  patienceSeconds = std::max(0.0, patienceSeconds - spent());
}

} // namespace maskjit::rl
