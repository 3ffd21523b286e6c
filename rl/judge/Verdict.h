// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the judge can say of a program, and what each answer is worth.
#pragma once
#include "compiler/Result.h"
#include <optional>
#include <string>
#include <string_view>

namespace maskjit::rl {

enum class Language { Python, C, Cuda };
enum class Verdict {
  Ok,      // right in every trial
  Wrong,   // ran, and a result was outside the bound
  Invalid, // does not parse or compile, or defines no matmul
  Timeout, // no answer in time
  Error,   // raised, crashed, ran out of memory, or asked for what is withheld
  Cheat    // there is evidence of a trick of rl/judge/Cheats.h
};

/// "python", "c", "cuda".
const char *nameOf(Language language);
std::optional<Language> findLanguage(std::string_view name);
/// Of a file's ending: .py, .c, .cu.
std::optional<Language> languageOfFile(std::string_view path);
/// "ok", "wrong", "invalid", "timeout", "error", "cheat".
const char *nameOf(Verdict verdict);
std::optional<Verdict> findVerdict(std::string_view name);

/// What a verdict earns. A right program earns `ok`, and `perDoubling` for each doubling of speed over the reference
/// that is told from noise; a slower one earns `ok` alone.
struct VerdictRewards {
  double cheat = -2, invalid = -1, timeout = -1, error = -1, wrong = -0.5, ok = 0.5, perDoubling = 1;

  /// cheat < error, invalid and timeout < wrong < ok, and perDoubling >= 0: otherwise a policy would be paid for
  /// failing.
  Result<void> check() const;
  /// `gain`: speedup over the reference where it is told from noise, else 1.
  double of(Verdict verdict, double gain) const;
};

} // namespace maskjit::rl
