// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of languages and verdicts, and the order of what verdicts earn.
#include "rl/judge/Verdict.h"
#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace maskjit::rl {

static const char *const kLanguages[] = {"python", "c", "cuda"};
static const char *const kEndings[] = {".py", ".c", ".cu"};
static const char *const kVerdicts[] = {"ok", "wrong", "invalid", "timeout", "error", "cheat"};

const char *nameOf(Language language) { return kLanguages[int(language)]; }
const char *nameOf(Verdict verdict) { return kVerdicts[int(verdict)]; }

std::optional<Language> findLanguage(std::string_view name) {
  for (size_t i = 0; i < std::size(kLanguages); ++i)
    if (name == kLanguages[i])
      return Language(i);
  return std::nullopt;
}

std::optional<Language> languageOfFile(std::string_view path) {
  size_t dot = path.rfind('.');
  for (size_t i = 0; i < std::size(kEndings) && dot != std::string_view::npos; ++i)
    if (path.substr(dot) == kEndings[i])
      return Language(i);
  return std::nullopt;
}

std::optional<Verdict> findVerdict(std::string_view name) {
  for (size_t i = 0; i < std::size(kVerdicts); ++i)
    if (name == kVerdicts[i])
      return Verdict(i);
  return std::nullopt;
}

Result<void> VerdictRewards::check() const {
  for (double failure : {error, invalid, timeout})
    if (!(cheat < failure && failure < wrong))
      return Error{
          fmt::format("rewards: expected cheat < error, invalid, timeout < wrong, got cheat {}, error {}, invalid "
                      "{}, timeout {}, wrong {}",
                      cheat, error, invalid, timeout, wrong)};
  if (!(wrong < ok && perDoubling >= 0))
    return Error{fmt::format("rewards: expected wrong < ok and per_doubling >= 0, got wrong {}, ok {}, per_doubling {}",
                             wrong, ok, perDoubling)};
  return {};
}

double VerdictRewards::of(Verdict verdict, double gain) const {
  switch (verdict) {
  case Verdict::Ok:
    return ok + (gain > 1 ? perDoubling * std::log2(gain) : 0);
  case Verdict::Wrong:
    return wrong;
  case Verdict::Invalid:
    return invalid;
  case Verdict::Timeout:
    return timeout;
  case Verdict::Error:
    return error;
  case Verdict::Cheat:
    break;
  }
  return cheat;
}

} // namespace maskjit::rl
