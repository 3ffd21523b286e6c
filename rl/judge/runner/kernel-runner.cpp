// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-kernel-runner: runs one C kernel inside a sandbox. Nothing that it says is trusted; the judge has the clock.
#include "rl/judge/runner/Channel.h"
#include "rl/judge/runner/ObjectFile.h"
#include "rl/judge/runner/Protocol.h"
#include <cstring>
#include <ctime>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace maskjit::rl;
using namespace maskjit::rl::protocol;

static double monotonicSeconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// The worker's own clock. Programs see it by this name and may set it; the judge does not look at it.
extern "C" __attribute__((visibility("default"), used)) double (*judge_clock)() = monotonicSeconds;

using Matmul = void (*)(const float *, const float *, float *, int, int, int);

int main() {
  std::string message;
  LoadRequest request;
  if (!receiveRequest(message) || message.size() < sizeof request)
    return 2;
  std::memcpy(&request, message.data(), sizeof request);
  ObjectFile object;
  std::string withheld;
  std::string fault = object.load(std::string_view(message).substr(sizeof request),
                                  request.flags & kKernelFunctions ? isKernelFunction : nullptr, withheld);
  if (!fault.empty()) {
    reply(withheld.empty() ? kInvalid : kWithheld, withheld.empty() ? fault : withheld);
    return 0;
  }
  auto matmul = reinterpret_cast<Matmul>(object.find("matmul"));
  if (!matmul) {
    reply(kInvalid, "the program defines no function `matmul`");
    return 0;
  }
  auto m = size_t(request.m), n = size_t(request.n), k = size_t(request.k);
  SharedLayout layout(m * k * sizeof(float), k * n * sizeof(float), m * n * sizeof(float));
  void *mapped = mmap(nullptr, layout.total, PROT_READ | PROT_WRITE, MAP_SHARED, kShared, 0);
  if (mapped == MAP_FAILED)
    return 2;
  auto *shared = static_cast<char *>(mapped);
  auto *a = reinterpret_cast<const float *>(shared + layout.a), *b = reinterpret_cast<const float *>(shared + layout.b);
  auto *c = reinterpret_cast<float *>(shared + layout.c);
  reply(kReady, "");
  while (receiveRequest(message)) {
    double begin = judge_clock();
    matmul(a, b, c, request.m, request.n, request.k);
    Done done{judge_clock() - begin};
    reply(kDone, &done, sizeof done);
  }
  return 0;
}
