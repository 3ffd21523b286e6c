// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of random schedules, compiled and compared with a product in double precision at even and odd sizes.
#include "rl/schedule/Kernel.h"
#include "rl/RandomStream.h"
#include <cmath>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <vector>

using namespace maskjit::rl;
namespace fs = std::filesystem;

namespace {

using Matmul = void (*)(const float *, const float *, float *, int, int, int);

std::vector<float> randomFloats(size_t count, uint64_t seed) {
  RandomStream random(seed, 1, 0);
  std::vector<float> out(count);
  for (float &value : out)
    value = float(2 * random.unit() - 1);
  return out;
}

/// The largest error of the kernel at m x n x k over what rounding allows; c has a guard behind it.
double worstError(Matmul matmul, int m, int n, int k) {
  std::vector<float> a = randomFloats(size_t(m) * k, 1), b = randomFloats(size_t(k) * n, 2);
  constexpr float kGuard = 12345;
  std::vector<float> c(size_t(m) * n + 64, kGuard);
  std::fill(c.begin(), c.begin() + std::ptrdiff_t(m) * n, NAN); // what was there before must not matter
  matmul(a.data(), b.data(), c.data(), m, n, k);
  double worst = 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double exact = 0, size = 0;
      for (int t = 0; t < k; ++t) {
        double term = double(a[size_t(i) * k + t]) * b[size_t(t) * n + j];
        exact += term;
        size += std::abs(term);
      }
      double bound = k * 0x1p-24 * size + 1e-30; // of a sum of k products in any order
      double error = std::abs(c[size_t(i) * n + j] - exact) / bound;
      worst = std::isnan(error) ? INFINITY : std::max(worst, error);
    }
  for (size_t x = size_t(m) * n; x < c.size(); ++x)
    if (c[x] != kGuard)
      return INFINITY;
  return worst;
}

class Kernel : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "maskjit-kernel-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override {
    for (void *library : libraries)
      dlclose(library);
    fs::remove_all(root);
  }

  /// Compiles the schedules' kernels in one call and loads them. -O1: what is tested is the text, not the optimizer.
  std::vector<Matmul> compile(const std::vector<LoopSchedule> &schedules) {
    std::string command = "cd " + root.string() +
                          " && ls *.c | xargs -P 2 -I{} " MASKJIT_CLANG
                          " -O1 -march=native -Wall -Werror -shared -fPIC {} -o {}.so";
    for (size_t i = 0; i < schedules.size(); ++i)
      std::ofstream(root / (std::to_string(i) + ".c")) << kernelSource(schedules[i]);
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::vector<Matmul> out;
    for (size_t i = 0; i < schedules.size(); ++i) {
      libraries.push_back(dlopen((root / (std::to_string(i) + ".c.so")).c_str(), RTLD_NOW | RTLD_LOCAL));
      out.push_back(libraries.back() ? reinterpret_cast<Matmul>(dlsym(libraries.back(), "matmul")) : nullptr);
    }
    return out;
  }

  fs::path root;
  std::vector<void *> libraries;
};

TEST_F(Kernel, RandomSchedulesMultiplyAtAnySize) {
  constexpr int kSizes[][3] = {{64, 64, 64}, {1, 1, 1}, {1, 33, 7}, {37, 1, 50}, {13, 70, 1}, {67, 45, 129}, {0, 5, 3}};
  std::vector<LoopSchedule> schedules;
  for (uint64_t index = 0; index < 40; ++index)
    schedules.push_back(randomLoopSchedule(11, index));
  std::vector<Matmul> kernels = compile(schedules);
  for (size_t i = 0; i < kernels.size(); ++i) {
    ASSERT_NE(kernels[i], nullptr) << schedules[i].text();
    for (auto [m, n, k] : kSizes)
      EXPECT_LE(worstError(kernels[i], m, n, k), 1) << schedules[i].text() << " at " << m << "x" << n << "x" << k;
  }
}

TEST_F(Kernel, TilesLargerThanTheMatrixAndBuffersForBothOperands) {
  auto parsed = parseLoopSchedule("kij 256x256x256 v16 r8x4 u8 pack ab");
  ASSERT_TRUE(std::holds_alternative<LoopSchedule>(parsed));
  std::vector<Matmul> kernels = compile({std::get<LoopSchedule>(parsed)});
  ASSERT_NE(kernels[0], nullptr);
  EXPECT_LE(worstError(kernels[0], 300, 270, 260), 1);
  EXPECT_LE(worstError(kernels[0], 9, 65, 3), 1);
}

TEST(KernelSource, NeedsNoHeaderAndNamesItsSchedule) {
  LoopSchedule schedule = randomLoopSchedule(1, 2);
  std::string source = kernelSource(schedule);
  EXPECT_EQ(source.find('#' + std::string("include")), std::string::npos);
  EXPECT_EQ(source.rfind("// " + schedule.text() + "\n", 0), 0u) << source;
}

} // namespace
