// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generator of the property test: one line of `atom` a construct of the language.
#include "RandomMask.h"
#include <algorithm>
#include <fmt/format.h>

using namespace maskjit;
using namespace maskjit::test;

namespace {

/// Masks that the random ones call.
constexpr const char *kCallees = R"(
mask band(q, k; width: int 0..64) = 0 <= q - k < width
mask before(q, k) = k <= q
mask block(q, k; size: int 1..32) = q / size == k / size
)";

constexpr const char *kParameters = R"(a: int 0..40, w: int 1..2^28, o: int 0..2^28, n: int -20..20, c: int 1..9,
  lens[b]: int 0..60, documents[k] sorted: int 0..12, starts[q] sorted: int -5..60, keep[k]: int 0..3, bias[h]: int -4..4)";

class Generator {
public:
  explicit Generator(Random &random) : random(random) {}
  Features features;

  std::string expression(int depth) {
    if (depth == 0 || random.chance(15))
      return atom();
    switch (random.between(0, 7)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return fmt::format("({} && {})", expression(depth - 1), expression(depth - 1));
    case 4:
    case 5:
    case 6:
      features.unions = true;
      return fmt::format("({} || {})", expression(depth - 1), expression(depth - 1));
    default:
      return fmt::format("!({})", expression(depth - 1));
    }
  }

private:
  std::string comparison() { return random.pick<std::string>({"<", "<=", ">", ">=", "<=", "<", "==", "!="}); }
  std::string ordering() { return random.pick<std::string>({"<", "<=", ">", ">="}); }
  std::string coordinate() { return random.pick<std::string>({"q", "k"}); }
  std::string symbol() { return random.pick<std::string>({"a", "w", "o", "n", "lens[b]", "bias[h]", "c"}); }

  /// A sum of coordinates and symbols, mostly with coefficients 1 and -1.
  std::string linear() {
    std::string sum = random.pick<std::string>({"q", "k", "q + o", "k - n", "q - k", "k - q", "q + o - k", "q + a"});
    if (random.chance(40))
      sum += random.pick<std::string>({" + ", " - "}) + symbol();
    if (random.chance(25))
      sum += fmt::format(" + {} * {}", random.between(-3, 3), coordinate());
    return sum;
  }
  std::string side() { return random.chance(50) ? symbol() : fmt::format("{}", random.between(-4, 40)); }

  std::string division() {
    features.division = true;
    std::string divisor = random.chance(25) ? "c" : fmt::format("{}", random.between(2, 9));
    switch (random.between(0, 4)) {
    case 0:
      return fmt::format("(q + a) / {0} == k / {0}", divisor);
    case 1:
      return fmt::format("({}) % {} {} {}", linear(), divisor, comparison(), random.between(0, 3));
    case 2:
      return fmt::format("({}) / {} {} {}", linear(), divisor, comparison(), side());
    case 3:
      return fmt::format("k / {} {} (q - n) / {}", divisor, ordering(), divisor);
    default:
      return fmt::format("k % {} {} q % {}", divisor, comparison(), divisor);
    }
  }
  std::string array() {
    features.arrays = true;
    switch (random.between(0, 6)) {
    case 0:
      return "documents[k] == documents[q]";
    case 1:
      return fmt::format("documents[q + o] {} documents[k]", comparison());
    case 2:
      return fmt::format("keep[k] {} {}", comparison(), random.between(0, 3));
    case 3:
      return fmt::format("k {} starts[q]", ordering());
    case 4:
      return fmt::format("starts[q + n] {} k - {}", comparison(), side());
    case 5:
      return fmt::format("documents[{}] {} {}", linear(), comparison(), random.between(0, 12));
    default:
      return fmt::format("documents[k - n] {} documents[max(q, a)]", ordering());
    }
  }
  std::string call() {
    features.calls = true;
    switch (random.between(0, 3)) {
    case 0:
      return fmt::format("band(q + o, k; {})", random.pick<std::string>({"a", "9", "30", "lens[b]"}));
    case 1:
      return fmt::format("before(q{}, k)", random.pick<std::string>({"", " + o", " - 3", " + n"}));
    case 2:
      features.division = true;
      return fmt::format("block(q, k; {})", random.pick<std::string>({"c", "8", "5"}));
    default:
      return fmt::format("before({}, {})", linear(), coordinate());
    }
  }
  std::string extreme() {
    switch (random.between(0, 3)) {
    case 0:
      return fmt::format("max(k, {}) {} q", side(), ordering());
    case 1:
      return fmt::format("min({}, {}) {} k", linear(), linear(), ordering());
    case 2:
      return fmt::format("k - max(q, {}) {} {}", side(), ordering(), side());
    default:
      return fmt::format("min(q, k) {} {}", comparison(), side());
    }
  }

  std::string atom() {
    switch (random.between(0, 13)) {
    case 0:
    case 1:
    case 2:
      return fmt::format("{} {} {}", linear(), comparison(), side());
    case 3:
      return fmt::format("0 <= {} < {}", linear(), side());
    case 4:
    case 5:
      return division();
    case 6:
    case 7:
      return array();
    case 8:
    case 9:
      return call();
    case 10:
      return extreme();
    case 11:
      return fmt::format("q * c {} k * {}", ordering(), random.between(1, 4));
    case 12:
      return fmt::format("{} {} {}", coordinate(), ordering(), symbol());
    default:
      return random.chance(20) ? "true" : fmt::format("k {} q", ordering());
    }
  }

  Random &random;
};

} // namespace

RandomMask maskjit::test::randomMask(Random &random) {
  Generator generator(random);
  int depth = random.chance(10) ? 5 : int(random.between(1, 3)); // deep ones have too many disjuncts
  std::string expression = generator.expression(depth);
  return {fmt::format("{}mask m(b, h, q, k; {}) =\n  {}\n", kCallees, kParameters, expression), generator.features};
}

RandomValues maskjit::test::randomValues(const Mask &mask, Random &random, bool large) {
  RandomValues result;
  for (const ParamInfo &param : mask.params()) {
    auto draw = [&]() -> int32_t {
      if (random.chance(5))
        return int32_t(random.chance(50) ? param.min : param.max);
      int64_t high = large ? param.max : std::min<int64_t>(param.max, param.min + 60);
      return int32_t(random.between(param.min, std::max(high, param.min)));
    };
    int64_t size = param.axis == Axis::None ? 1 : random.between(1, 50);
    std::vector<int32_t> values(kBatch * size);
    std::generate(values.begin(), values.end(), draw);
    for (int64_t b = 0; param.isSorted && b < kBatch; ++b)
      std::sort(values.begin() + b * size, values.begin() + (b + 1) * size);
    result.memory.push_back(values);
  }
  return result;
}

std::vector<ParamValues> RandomValues::values() const {
  std::vector<ParamValues> result;
  for (const std::vector<int32_t> &each : memory)
    result.push_back({each.data(), int64_t(each.size()) / kBatch, int64_t(each.size()) / kBatch});
  return result;
}

std::string RandomValues::describe(const Mask &mask) const {
  std::string text;
  for (size_t i = 0; i < memory.size(); ++i) {
    text += fmt::format("  {} =", mask.params()[i].name);
    for (int32_t value : memory[i])
      text += fmt::format(" {}", value);
    text += "\n";
  }
  return text;
}
