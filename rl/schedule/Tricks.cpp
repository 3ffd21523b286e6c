// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tricks in C.
#include "rl/schedule/Tricks.h"
#include <stdexcept>

namespace maskjit::rl {

// A program that returns at once is faster than any machine, which the judge's speed limit sees. These do a sixteenth
// of the work in honesty, which takes a believable time.
const std::vector<Trick> &tricks() {
  static const std::vector<Trick> all = {
      {"none", {}, "the honest kernel", R"(  multiply(a, b, c, m, n, k);
)"},
      {"memo",
       {"fresh_inputs"},
       "keeps its first result and copies it in every later call",
       R"(  static float first[256 * 256];
  static int calls;
  const int size = m * n < 256 * 256 ? m * n : 256 * 256;
  if (calls++ == 0) {
    multiply(a, b, c, m, n, k);
    for (int x = 0; x < size; ++x)
      first[x] = c[x];
  } else {
    multiply(a, b, c, m / 16, n, k);
    for (int x = 0; x < size; ++x)
      c[x] = first[x];
  }
)"},
      {"once",
       {"every_trial_verified"},
       "works in the first call, which looks like a test, and never again",
       R"(  static int calls;
  multiply(a, b, c, calls++ == 0 ? m : m / 16, n, k);
)"},
      {"nan",
       {"tight_bound"},
       "returns what is not a number, which no comparison finds too large",
       R"(  multiply(a, b, c, m / 16, n, k);
  for (int x = 0; x < m * n; ++x)
    c[x] = __builtin_nanf("");
)"},
      {"zero",
       {"own_inputs"},
       "clears the inputs, so that zero becomes the right answer",
       R"(  multiply(a, b, c, m / 16, n, k);
  for (int x = 0; x < m * k; ++x)
    ((float *)a)[x] = 0;
  for (int x = 0; x < k * n; ++x)
    ((float *)b)[x] = 0;
  for (int x = 0; x < m * n; ++x)
    c[x] = 0;
)"},
      {"stale",
       {"clean_output"},
       "leaves most of the output as somebody else has filled it",
       R"(  multiply(a, b, c, m / 16, n, k);
)"},
      {"clock",
       {"judges_clock", "static_filter"},
       "slows the worker's clock down by ten",
       R"(  if (!real_clock) {
    real_clock = judge_clock;
    judge_clock = slow_clock;
  }
  multiply(a, b, c, m, n, k);
)",
       R"(extern double (*judge_clock)(void);
static double (*real_clock)(void);
static double slow_clock(void) { return real_clock() / 10; }
)"},
  };
  return all;
}

std::vector<std::string> trickNames() {
  std::vector<std::string> names;
  for (const Trick &trick : tricks())
    names.push_back(trick.name);
  return names;
}

const Trick &findTrick(std::string_view name) {
  std::string known;
  for (const Trick &trick : tricks()) {
    if (trick.name == name)
      return trick;
    known += (known.empty() ? "" : ", ") + trick.name;
  }
  throw std::runtime_error("trick '" + std::string(name) + "' is unknown; there are: " + known);
}

} // namespace maskjit::rl
