// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arithmetic task: right answers, disjoint splits, streams that repeat, and the careless teacher.
#include "rl/tasks/Arithmetic.h"
#include <gtest/gtest.h>
#include <set>

using namespace maskjit::rl;

namespace {

struct Parsed {
  int64_t a, b;
};
Parsed parse(const std::string &prompt) {
  size_t plus = prompt.find('+');
  EXPECT_EQ(prompt.back(), '=');
  return {std::stoll(prompt.substr(0, plus)), std::stoll(prompt.substr(plus + 1))};
}

std::set<std::string> unorderedPairs(const Arithmetic &task, Split split, uint64_t seed, uint64_t count) {
  std::set<std::string> out;
  for (uint64_t i = 0; i < count; ++i) {
    Parsed p = parse(task.draw(split, seed, i).prompt);
    out.insert(std::to_string(std::min(p.a, p.b)) + "+" + std::to_string(std::max(p.a, p.b)));
  }
  return out;
}

TEST(Arithmetic, AnswersAreSums) {
  Arithmetic task;
  for (Split split : {Split::Sft, Split::Train, Split::HeldOut})
    for (uint64_t i = 0; i < 2000; ++i) {
      Problem problem = task.draw(split, 7, i);
      Parsed p = parse(problem.prompt);
      EXPECT_EQ(problem.answer, std::to_string(p.a + p.b));
      EXPECT_GE(std::min(p.a, p.b), Arithmetic::kLow);
      EXPECT_LE(std::max(p.a, p.b), Arithmetic::kHigh);
    }
}

// Under several seeds, so that no seed of a run can bring a held-out problem into its training data; a + b and b + a
// count as one problem.
TEST(Arithmetic, SplitsAreDisjoint) {
  Arithmetic task;
  std::set<std::string> heldOut = unorderedPairs(task, Split::HeldOut, 42, 20000);
  std::set<std::string> learned;
  for (uint64_t seed : {0, 1, 42})
    for (Split split : {Split::Sft, Split::Train})
      learned.merge(unorderedPairs(task, split, seed, 50000));
  EXPECT_GT(heldOut.size(), 10000u);
  EXPECT_GT(learned.size(), 100000u);
  for (const std::string &pair : heldOut)
    EXPECT_EQ(learned.count(pair), 0u) << pair;
}

TEST(Arithmetic, SplitsHoldTheirShares) {
  int64_t count[3] = {};
  for (int64_t a = Arithmetic::kLow; a <= Arithmetic::kHigh; ++a)
    for (int64_t b = a; b <= Arithmetic::kHigh; ++b)
      ++count[int(Arithmetic::splitOf({a, b}))];
  double total = double(count[0] + count[1] + count[2]);
  EXPECT_NEAR(double(count[int(Split::HeldOut)]) / total, 0.10, 0.005);
  EXPECT_NEAR(double(count[int(Split::Sft)]) / total, 0.45, 0.005);
}

TEST(Arithmetic, StreamsRepeatAndSeedsDiffer) {
  Arithmetic task;
  EXPECT_EQ(task.draw(Split::Train, 3, 5).prompt, task.draw(Split::Train, 3, 5).prompt);
  int64_t equal = 0;
  for (uint64_t i = 0; i < 100; ++i)
    equal += task.draw(Split::Train, 3, i).prompt == task.draw(Split::Train, 4, i).prompt;
  EXPECT_LT(equal, 5);
}

TEST(Arithmetic, SampleHoldsNoProblemTwice) {
  Arithmetic task;
  std::set<std::string> seen;
  for (const Problem &p : task.sample(Split::HeldOut, 42, 500))
    EXPECT_TRUE(seen.insert(p.prompt).second) << p.prompt;
  EXPECT_EQ(seen.size(), 500u);
  EXPECT_THROW(task.sample(Split::HeldOut, 42, 1000000), std::runtime_error);
}

TEST(Arithmetic, CarelessTeacherDropsCarries) {
  EXPECT_EQ(Arithmetic::careless({478, 365}, 1, 0, 0), 843);
  EXPECT_EQ(Arithmetic::careless({478, 365}, 0, 0, 0), 733);
  EXPECT_EQ(Arithmetic::careless({500, 600}, 0, 0, 0), 1100); // the last carry is a digit of its own
  int64_t right = 0;
  for (uint64_t i = 0; i < 4000; ++i)
    right += Arithmetic::careless({108, 105}, 0.3, 1, i) == 213;
  EXPECT_NEAR(double(right) / 4000, 0.3, 0.03);
}

TEST(Tasks, UnknownNameIsAnError) { EXPECT_THROW(findTask("geometry"), std::runtime_error); }

} // namespace
