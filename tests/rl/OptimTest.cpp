// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The optimizer against its formula in float64, its state, clipping, and the schedules' corner values.
#include "rl/optim/AdamW.h"
#include "rl/optim/Schedule.h"
#include <ATen/ATen.h>
#include <cmath>
#include <gtest/gtest.h>

using namespace maskjit::rl;

namespace {

TEST(AdamW, FollowsTheFormula) {
  at::Tensor p = at::tensor({1.0f, -2.0f}).requires_grad_();
  AdamWOptions options;
  options.weightDecay = 0.01;
  AdamW optimizer({{"p", p}}, options);
  double want[2] = {1, -2}, m[2] = {}, v[2] = {};
  const double gradients[3][2] = {{0.5, -1}, {0.1, 2}, {-3, 0.25}};
  for (int step = 0; step < 3; ++step) {
    p.mutable_grad() = at::tensor({float(gradients[step][0]), float(gradients[step][1])});
    optimizer.step(1e-2);
    for (int i = 0; i < 2; ++i) {
      double g = gradients[step][i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      double unbiasedM = m[i] / (1 - std::pow(0.9, step + 1)), unbiasedV = v[i] / (1 - std::pow(0.999, step + 1));
      want[i] -= 1e-2 * 0.01 * want[i];
      want[i] -= 1e-2 * unbiasedM / (std::sqrt(unbiasedV) + 1e-8);
      EXPECT_NEAR(p[i].item<float>(), want[i], 1e-6);
    }
  }
}

TEST(AdamW, GoesOnFromItsState) {
  auto run = [](AdamW &optimizer, at::Tensor &p, int from, int to) {
    for (int step = from; step < to; ++step) {
      p.mutable_grad() = at::full({3}, float(step) - 2.5f);
      optimizer.step(0.1);
    }
  };
  at::Tensor a = at::ones({3}).requires_grad_(), b = at::ones({3}).requires_grad_();
  AdamW whole({{"p", a}}, {});
  run(whole, a, 0, 6);
  AdamW first({{"p", b}}, {});
  run(first, b, 0, 3);
  AdamW second({{"p", b}}, {});
  second.restore(first.state(), first.steps());
  run(second, b, 3, 6);
  EXPECT_TRUE(at::equal(a, b));
  AdamW other({{"q", b}}, {});
  EXPECT_THROW(other.restore(first.state(), 3), std::runtime_error);
}

TEST(AdamW, ClipsTheNormOfAllGradientsTogether) {
  at::Tensor p = at::zeros({1}).requires_grad_(), q = at::zeros({1}).requires_grad_();
  p.mutable_grad() = at::full({1}, 3.0f);
  q.mutable_grad() = at::full({1}, 4.0f);
  AdamW optimizer({{"p", p}, {"q", q}}, {});
  EXPECT_NEAR(optimizer.clipGradients(1), 5, 1e-6);
  EXPECT_NEAR(p.grad().item<float>(), 0.6, 1e-5);
  EXPECT_NEAR(q.grad().item<float>(), 0.8, 1e-5);
  EXPECT_NEAR(optimizer.clipGradients(0), 1, 1e-5);
}

TEST(Schedule, CornerValues) {
  Schedule linear{ScheduleType::Linear, 1, 10, 110};
  EXPECT_EQ(linear.at(0), 0);
  EXPECT_EQ(linear.at(5), 0.5);
  EXPECT_EQ(linear.at(10), 1);
  EXPECT_EQ(linear.at(60), 0.5);
  EXPECT_EQ(linear.at(110), 0);
  Schedule cosine{ScheduleType::Cosine, 2, 0, 100};
  EXPECT_NEAR(cosine.at(0), 2, 1e-12);
  EXPECT_NEAR(cosine.at(50), 1, 1e-12);
  EXPECT_EQ((Schedule{ScheduleType::Constant, 3, 10, 20}.at(0)), 3);
  EXPECT_EQ((Schedule{ScheduleType::ConstantWithWarmup, 3, 10, 20}.at(15)), 3);
  EXPECT_THROW(parseScheduleType("exponential"), std::runtime_error);
}

} // namespace
