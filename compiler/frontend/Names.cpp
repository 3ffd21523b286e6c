// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Edit distance between names, for "did you mean".
#include "compiler/frontend/Names.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit::frontend {

bool isFunction(std::string_view word) {
  for (std::string_view function : {"min", "max", "abs", "tanh", "exp", "log", "sqrt", "pow"})
    if (word == function)
      return true;
  return false;
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

std::string didYouMean(std::string_view name, const std::vector<std::string> &candidates) {
  constexpr size_t kLongest = 64; // names beyond are not compared: the cost is their product
  if (name.size() > kLongest)
    return "";
  const std::string *best = nullptr;
  size_t bestDistance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string &candidate : candidates)
    if (candidate.size() <= kLongest)
      if (const size_t distance = editDistance(name, candidate);
          distance < bestDistance && distance < candidate.size()) {
        best = &candidate;
        bestDistance = distance;
      }
  return best ? fmt::format("did you mean '{}'?", *best) : "";
}

std::string quotedList(const std::vector<std::string> &names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i)
    out += fmt::format("{}'{}'", i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", names[i]);
  return out;
}

} // namespace maskjit::frontend
