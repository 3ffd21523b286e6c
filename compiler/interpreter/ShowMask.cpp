// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws with the evaluator: elements from the predicate, classes and ranges from what the pipeline derived.
#include "compiler/interpreter/ShowMask.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <list>

namespace maskjit {

namespace {

struct Glyphs {
  const char *attended, *hidden, *full, *partial, *empty;
};
constexpr Glyphs kBlocks = {"█", "·", "█", "▒", "·"}, kAscii = {"#", ".", "F", "p", "."};

/// Parameters as the evaluator takes them; the vectors own the memory.
struct Values {
  std::list<std::vector<int32_t>> integers;
  std::list<std::vector<float>> reals;
  std::vector<ParamValues> values;
};

} // namespace

static Result<Values> bindValues(const Mask &mask, const std::map<std::string, std::vector<double>> &given) {
  Values out;
  std::vector<std::string> names;
  for (const ParamInfo &info : mask.params()) {
    names.push_back(info.name);
    auto found = given.find(info.name);
    if (found == given.end()) {
      out.values.push_back({});
      continue;
    }
    const std::vector<double> &numbers = found->second;
    if (info.axis == Axis::None && numbers.size() != 1)
      return Error{
          fmt::format("parameter '{}' of mask '{}' is one number, got {}", info.name, mask.name(), numbers.size())};
    ParamValues values;
    values.size = static_cast<int64_t>(numbers.size());
    if (info.isFloat) {
      values.data = out.reals.emplace_back(numbers.begin(), numbers.end()).data();
    } else {
      std::vector<int32_t> &integers = out.integers.emplace_back();
      for (double number : numbers) {
        if (number != std::floor(number) || std::fabs(number) > INT32_MAX)
          return Error{fmt::format("parameter '{}' of mask '{}' is an integer of 32 bits, got {}", info.name,
                                   mask.name(), number)};
        integers.push_back(static_cast<int32_t>(number));
      }
      values.data = integers.data();
    }
    out.values.push_back(values);
  }
  for (const auto &[name, numbers] : given)
    if (std::find(names.begin(), names.end(), name) == names.end())
      return Error{fmt::format("mask '{}' has no parameter '{}'; it has {}", mask.name(), name,
                               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")))};
  return out;
}

static Result<void> checkOptions(const ShowOptions &options) {
  auto between = [](std::string_view what, int64_t value, int64_t low, int64_t high) -> Result<void> {
    if (value < low || value > high)
      return Error{fmt::format("expected {} from {} to {}, got {}", what, low, high, value)};
    return {};
  };
  for (const auto &[what, value, low, high] :
       {std::tuple<std::string_view, int64_t, int64_t, int64_t>{"queries", options.queries, 1, kMaxShown},
        {"keys", options.keys, 1, kMaxShown},
        {"queries of a tile", options.tileQueries, 1, kMaxShown},
        {"keys of a tile", options.tileKeys, 1, kMaxShown},
        {"a batch", options.batch, 0, 65535},
        {"a head", options.head, 0, 65535}})
    if (Result<void> fits = between(what, value, low, high); !fits)
      return fits;
  return {};
}

/// `causal(q_offset = 4, documents = 0 0 1 1)`
static std::string title(const Mask &mask, const ShowOptions &options) {
  std::string params;
  for (const ParamInfo &info : mask.params()) {
    auto found = options.params.find(info.name);
    params += params.empty() ? "" : ", ";
    params += info.name + " = ";
    if (found != options.params.end())
      params += fmt::format("{}", fmt::join(found->second, " "));
    else if (info.defaultValue)
      params += fmt::format("{}", *info.defaultValue);
  }
  return fmt::format("{}({}){}\n", mask.name(), params, mask.hasScore() ? ", with a score" : "");
}

static std::string grid(const MaskEvaluator &evaluator, const ShowOptions &options, const Glyphs &glyphs) {
  std::string out = "\n  query \\ key\n       ";
  for (int64_t k = 0; k < options.keys; k += 8)
    out += fmt::format("{:<8}", k);
  out.erase(out.find_last_not_of(' ') + 1);
  for (int64_t q = 0; q < options.queries; ++q) {
    out += fmt::format("\n{:>5}  ", q);
    for (int64_t k = 0; k < options.keys; ++k)
      out += evaluator.attends(options.batch, options.head, q, k) ? glyphs.attended : glyphs.hidden;
  }
  return out + "\n";
}

/// `keys 3..8`, of the keys that there are.
static std::string describe(std::string_view what, Range range, int64_t keys) {
  const int64_t begin = std::max<int64_t>(range.begin, 0), end = std::min(range.end, keys);
  return begin < end ? fmt::format("{} {}..{}", what, begin, end - 1) : fmt::format("{} none", what);
}

static TileClass trueClass(const MaskEvaluator &evaluator, const ShowOptions &options, Range queries, Range keys) {
  bool any = false, all = true;
  for (int64_t q = queries.begin; q < queries.end; ++q)
    for (int64_t k = keys.begin; k < keys.end; ++k) {
      const bool attends = evaluator.attends(options.batch, options.head, q, k);
      any |= attends;
      all &= attends;
    }
  return !any ? TileClass::Empty : all ? TileClass::Full : TileClass::Partial;
}

static std::string tiles(const MaskEvaluator &evaluator, const ShowOptions &options, const Glyphs &glyphs) {
  int count[3] = {}, needless = 0;
  std::string rows;
  for (int64_t q = 0; q < options.queries; q += options.tileQueries) {
    const Range queries{q, std::min(q + options.tileQueries, options.queries)};
    rows += fmt::format("{:>5}  ", q);
    for (int64_t k = 0; k < options.keys; k += options.tileKeys) {
      const Range keys{k, std::min(k + options.tileKeys, options.keys)};
      const TileClass tile = evaluator.classify(options.batch, options.head, queries, keys);
      needless += tile == TileClass::Partial && trueClass(evaluator, options, queries, keys) != TileClass::Partial;
      ++count[static_cast<int>(tile)];
      rows += tile == TileClass::Empty ? glyphs.empty : tile == TileClass::Full ? glyphs.full : glyphs.partial;
    }
    rows +=
        fmt::format("  {}, {}\n", describe("keys", evaluator.keys(options.batch, options.head, queries), options.keys),
                    describe("full", evaluator.fullKeys(options.batch, options.head, queries), options.keys));
  }
  return fmt::format(
      "\ntiles of {} queries and {} keys: {} full ({}), {} partial ({}), {} empty ({})\n{}{}", options.tileQueries,
      options.tileKeys, count[2], glyphs.full, count[1], glyphs.partial, count[0], glyphs.empty, rows,
      needless > 0
          ? fmt::format("{} partial tiles are in truth full or empty: the compiler could not prove it\n", needless)
          : "");
}

Result<std::string> showMask(const Mask &mask, const ShowOptions &options) {
  if (Result<void> checked = checkOptions(options); !checked)
    return checked.error();
  Result<Values> values = bindValues(mask, options.params);
  if (!values)
    return values.error();
  Result<MaskEvaluator> evaluator = MaskEvaluator::bind(mask, values->values, options.batch + 1);
  if (!evaluator)
    return evaluator.error();
  const Glyphs &glyphs = options.ascii ? kAscii : kBlocks;
  return title(mask, options) + grid(*evaluator, options, glyphs) + tiles(*evaluator, options, glyphs);
}

} // namespace maskjit
