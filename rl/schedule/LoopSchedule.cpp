// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads, writes and draws loop schedules.
#include "rl/schedule/LoopSchedule.h"
#include "rl/RandomStream.h"
#include "rl/schedule/Tricks.h"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

namespace maskjit::rl {

namespace {

constexpr uint64_t kDraw = 201; // purpose of the random stream; any number that no other purpose has

/// A field of the text: the words before it and the values that it may take.
struct Field {
  const char *before;
  std::vector<std::string> values;
};

const std::vector<Field> &fields() {
  static const std::vector<std::string> sizes = {"1", "2", "4", "8", "16", "32", "64", "128", "256"};
  static const std::vector<Field> all = {
      {"", {"ijk", "ikj", "jik", "jki", "kij", "kji"}},
      {" ", sizes},
      {"x", sizes},
      {"x", sizes},
      {" v", {"1", "2", "4", "8", "16"}},
      {" ", {"r", "m"}},
      {"", {"1", "2", "4", "8"}},
      {"x", {"1", "2", "4"}},
      {" u", {"1", "2", "4", "8"}},
      {" pack ", {"none", "a", "b", "ab"}},
  };
  return all;
}

/// `values` in the order of the fields; each one of its field's.
LoopSchedule scheduleOf(const std::vector<std::string> &values) {
  auto number = [&](size_t i) { return std::stoi(values[i]); };
  LoopSchedule s;
  s.order = values[0];
  s.tileI = number(1);
  s.tileJ = number(2);
  s.tileK = number(3);
  s.vector = number(4);
  s.inRegisters = values[5] == "r";
  s.rows = number(6);
  s.columns = number(7);
  s.unroll = number(8);
  s.packA = values[9] == "a" || values[9] == "ab";
  s.packB = values[9] == "b" || values[9] == "ab";
  return s;
}

/// What does not fit together; empty if all does.
std::string conflict(const LoopSchedule &s) {
  if (s.tileI % s.rows != 0)
    return fmt::format("a tile of {} rows is no multiple of a block of {} rows", s.tileI, s.rows);
  if (s.tileJ % (s.vector * s.columns) != 0)
    return fmt::format("a tile of {} columns is no multiple of a block of {} vectors of {}", s.tileJ, s.columns,
                       s.vector);
  if (s.tileK % s.unroll != 0)
    return fmt::format("a tile of {} terms is no multiple of unroll {}", s.tileK, s.unroll);
  return "";
}

/// The longest of `values` that `text` begins with; nullptr if there is none.
const std::string *longestPrefix(const std::vector<std::string> &values, std::string_view text) {
  const std::string *best = nullptr;
  for (const std::string &value : values)
    if (text.substr(0, value.size()) == value && (!best || value.size() > best->size()))
      best = &value;
  return best;
}

/// Reads the fields one after the other and remembers where and why it stopped.
struct Reader {
  std::string_view text;
  size_t at = 0;
  std::string failure;

  void fail(const std::string &wanted) {
    failure = fmt::format("expected {} at byte {}, got '{}'", wanted, at, text.substr(at, 16));
  }
  std::string take(const Field &field) {
    std::string_view before = field.before;
    if (text.substr(at, before.size()) != before) {
      fail(fmt::format("'{}'", before));
      return "";
    }
    at += before.size();
    const std::string *value = longestPrefix(field.values, text.substr(at));
    if (!value) {
      fail(fmt::format("one of {}", fmt::join(field.values, " ")));
      return "";
    }
    at += value->size();
    return *value;
  }
};

} // namespace

std::string LoopSchedule::text() const {
  const char *pack = packA ? (packB ? "ab" : "a") : (packB ? "b" : "none");
  return fmt::format("{} {}x{}x{} v{} {}{}x{} u{} pack {}{}{}", order, tileI, tileJ, tileK, vector,
                     inRegisters ? "r" : "m", rows, columns, unroll, pack, trick.empty() ? "" : " trick ", trick);
}

std::variant<LoopSchedule, std::string> parseLoopSchedule(std::string_view text, Grammar grammar) {
  Reader reader{text};
  std::vector<std::string> values;
  for (const Field &field : fields()) {
    values.push_back(reader.take(field));
    if (!reader.failure.empty())
      return reader.failure;
  }
  std::string trick;
  if (grammar == Grammar::WithTricks)
    trick = reader.take({" trick ", trickNames()});
  if (reader.failure.empty() && reader.at != text.size())
    reader.fail("the end");
  if (!reader.failure.empty())
    return reader.failure;
  LoopSchedule schedule = scheduleOf(values);
  schedule.trick = trick;
  if (std::string why = conflict(schedule); !why.empty())
    return why;
  return schedule;
}

LoopSchedule randomLoopSchedule(uint64_t seed, uint64_t index, Grammar grammar) {
  RandomStream random(seed, kDraw, index);
  while (true) { // ends: about one combination in five is valid
    std::vector<std::string> values;
    for (const Field &field : fields())
      values.push_back(field.values[random.below(field.values.size())]);
    LoopSchedule schedule = scheduleOf(values);
    if (!conflict(schedule).empty())
      continue;
    if (grammar == Grammar::WithTricks) {
      const std::vector<std::string> &names = trickNames(); // the first is "none"
      schedule.trick = random.below(2) ? names[1 + random.below(names.size() - 1)] : names[0];
    }
    return schedule;
  }
}

} // namespace maskjit::rl
