// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Addition of two three-digit numbers.
#include "rl/tasks/Arithmetic.h"
#include "rl/RandomStream.h"
#include <algorithm>
#include <set>
#include <stdexcept>

namespace maskjit::rl {

// Purposes of the random streams; any distinct numbers.
constexpr uint64_t kOperands = 1, kCare = 2;
// Changing the salt would move problems between splits and void the shipped warm start.
constexpr uint64_t kSplitSalt = 0x61726974686d6574ull;
constexpr uint64_t kHeldOutPercent = 10, kSftPercent = 45;

Split Arithmetic::splitOf(Addition sum) {
  uint64_t low = uint64_t(std::min(sum.a, sum.b)), high = uint64_t(std::max(sum.a, sum.b));
  uint64_t percent = mixBits(kSplitSalt ^ (low * (kHigh + 1) + high)) % 100;
  if (percent < kHeldOutPercent)
    return Split::HeldOut;
  return percent < kHeldOutPercent + kSftPercent ? Split::Sft : Split::Train;
}

Addition Arithmetic::operands(Split split, uint64_t seed, uint64_t index) const {
  RandomStream random(seed, kOperands, index);
  while (true) { // ends: every split holds at least one pair in ten
    Addition sum{kLow + int64_t(random.below(kHigh - kLow + 1)), kLow + int64_t(random.below(kHigh - kLow + 1))};
    if (splitOf(sum) == split)
      return sum;
  }
}

static Problem problemOf(Addition sum) {
  return {std::to_string(sum.a) + "+" + std::to_string(sum.b) + "=", std::to_string(sum.a + sum.b)};
}

Problem Arithmetic::draw(Split split, uint64_t seed, uint64_t index) const {
  return problemOf(operands(split, seed, index));
}

std::vector<Problem> Arithmetic::sample(Split split, uint64_t seed, size_t count) const {
  constexpr size_t kEnough = 20000; // fewer than the smallest split holds
  if (count > kEnough)
    throw std::runtime_error("the arithmetic task samples at most " + std::to_string(kEnough) +
                             " different problems; asked for " + std::to_string(count));
  std::vector<Problem> out;
  std::set<std::pair<int64_t, int64_t>> seen;
  for (uint64_t index = 0; out.size() < count; ++index) {
    Addition sum = operands(split, seed, index);
    if (seen.insert({sum.a, sum.b}).second)
      out.push_back(problemOf(sum));
  }
  return out;
}

int64_t Arithmetic::careless(Addition sum, double care, uint64_t seed, uint64_t index) {
  RandomStream random(seed, kCare, index);
  int64_t result = 0, carry = 0, unit = 1;
  for (int column = 0; column < 3; ++column) {
    int64_t digit = sum.a % 10 + sum.b % 10 + carry;
    carry = digit >= 10 && (column == 2 || random.unit() < care);
    result += digit % 10 * unit;
    sum = {sum.a / 10, sum.b / 10};
    unit *= 10;
  }
  return result + carry * unit;
}

Grade Arithmetic::grade(const Judged &judged) const {
  return {rewardCorrect(judged).value_or(0), rewardFormat(judged).value_or(0)};
}

std::string Arithmetic::teacherAnswer(Split split, uint64_t seed, uint64_t index, double care) const {
  return std::to_string(careless(operands(split, seed, index), care, seed, index));
}

} // namespace maskjit::rl
