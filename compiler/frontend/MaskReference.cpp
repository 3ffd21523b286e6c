// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Mask::find: NAME | PATH.mask | PATH.mask:NAME, each with {parameter=integer,...}.
#include "compiler/Compiler.h"
#include "compiler/frontend/Imports.h"
#include "compiler/frontend/MaskImpl.h"
#include <charconv>
#include <fmt/format.h>
#include <mutex>

namespace maskjit {
using namespace frontend;

/// `a=1,b=2` to a map.
static Result<std::map<std::string, int64_t>> parseValues(std::string_view text, std::string_view reference) {
  std::map<std::string, int64_t> values;
  auto malformed = [&](std::string_view part) {
    return Error{fmt::format("expected parameter=integer between the braces of '{}', got '{}'",
                             printable(reference, 200), printable(part))};
  };
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return malformed(part);
    int64_t value = 0;
    const char *begin = part.data() + equals + 1, *end = part.data() + part.size();
    const auto [stop, code] = std::from_chars(begin, end, value);
    if (code != std::errc() || stop != end || begin == end)
      return malformed(part);
    if (!values.emplace(std::string(part.substr(0, equals)), value).second)
      return Error{fmt::format("parameter '{}' is given twice in '{}'", printable(part.substr(0, equals)),
                               printable(reference, 200))};
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return values;
}

/// Masks of shipped files found before, by reference: those never change, and what was derived from one is shared.
class FoundMasks {
public:
  std::optional<Mask> lookUp(std::string_view reference) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = masks.find(reference);
    return found == masks.end() ? std::nullopt : std::optional(found->second);
  }
  void insert(std::string_view reference, const Mask &mask) {
    std::lock_guard<std::mutex> lock(mutex);
    if (masks.size() < kMost)
      masks.emplace(reference, mask);
  }

private:
  static constexpr size_t kMost = 1024; // references with many values of a static are not all kept
  std::mutex mutex;
  std::map<std::string, Mask, std::less<>> masks;
};

static FoundMasks &foundMasks() {
  static FoundMasks &found = *new FoundMasks; // outlives every static object that holds a mask
  return found;
}

Result<Mask> Mask::find(std::string_view reference) {
  if (std::optional<Mask> known = foundMasks().lookUp(reference))
    return *known;
  std::map<std::string, int64_t> values;
  std::string_view where = reference;
  if (const size_t brace = reference.find('{'); brace != std::string_view::npos) {
    if (reference.back() != '}')
      return Error{fmt::format("expected '}}' at the end of the mask reference '{}'", printable(reference, 200))};
    auto parsed = parseValues(reference.substr(brace + 1, reference.size() - brace - 2), reference);
    if (!parsed)
      return parsed.error();
    values = std::move(*parsed);
    where = reference.substr(0, brace);
  }
  if (where.empty())
    return Error{"expected a mask: the name of a shipped one, PATH.mask or PATH.mask:NAME"};
  // A path ends in .mask, the mask's name may follow.
  std::string_view name;
  const size_t suffix = where.rfind(".mask:");
  const bool path = suffix != std::string_view::npos || (where.size() > 5 && where.substr(where.size() - 5) == ".mask");
  if (suffix != std::string_view::npos) {
    name = where.substr(suffix + 6);
    where = where.substr(0, suffix + 5);
  }
  auto tree = path ? loadFile(std::string(where)) : loadShipped(std::string(where));
  if (!tree)
    return tree.error();
  Result<Mask> mask = Impl::fromTree(*tree, path ? name : where);
  if (!mask)
    return mask;
  Result<Mask> specialized = mask->specialize(values);
  if (specialized && !path)
    foundMasks().insert(reference, *specialized);
  return specialized;
}

} // namespace maskjit
