// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns of the static filter, in PCRE2's syntax, which cannot be driven into exponential time or deep recursion.
#include "rl/judge/StaticFilter.h"
#include "rl/judge/PythonNames.h"
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace maskjit::rl {

constexpr size_t kLargestSource = size_t(1) << 20;
constexpr uint32_t kMatchSteps = 1000000; // a search that takes more counts as no match

namespace {
class Pattern {
public:
  Pattern(const char *text, int cheat) : cheat(cheat) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text), PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &error, &at,
                             nullptr));
    if (!code)
      throw std::logic_error(fmt::format("pattern of the static filter, at {}: {}", at, text));
  }
  /// The range of the first match from `begin` on, of its first group if it has one.
  std::optional<std::pair<size_t, size_t>> find(const std::string &text, size_t begin = 0) const {
    std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create_from_pattern(code.get(), nullptr), pcre2_match_data_free);
    std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
        pcre2_match_context_create(nullptr), pcre2_match_context_free);
    pcre2_set_match_limit(limits.get(), kMatchSteps);
    int groups = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin, 0, data.get(),
                             limits.get());
    if (groups < 1)
      return std::nullopt;
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(data.get()) + (groups > 1 ? 2 : 0);
    return std::pair<size_t, size_t>(range[0], range[1]);
  }

  const int cheat;

private:
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
};
} // namespace

static const std::vector<Pattern> &pythonPatterns() {
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> p;
    p.emplace_back(R"(\b(__import__|__builtins__|__loader__|__spec__)\b)", kBuiltins);
    p.emplace_back(R"(\b(?<!\.)(exec|eval|compile)\s*\()", kEncodedSource);
    p.emplace_back(R"(\b(?<!\.)(open|input|breakpoint)\s*\()", kFiles);
    p.emplace_back(R"(\b(__subclasses__|__bases__|__mro__|get_objects|get_referrers)\b)", kObjectScan);
    p.emplace_back(
        R"(\b(__code__|__globals__|__closure__|__traceback__|tb_frame|f_back|f_locals|f_globals|gi_frame)\b)",
        kStackFrames);
    p.emplace_back(R"(\b(__main__)\b)", kMainGlobals);
    p.emplace_back(R"(\b(async\s+def|await)\b)", kAsynchronous);
    return p;
  }();
  return patterns;
}

static const std::vector<Pattern> &cPatterns() {
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> p;
    // Blanked literals leave the quotes: #include "" is one of a file by its path.
    p.emplace_back(R"(^[ \t]*#[ \t]*(include_next|import|embed)\b)", kFiles);
    p.emplace_back(R"(\b(__has_include|__has_include_next|__has_embed)\b)", kFiles);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*(?:"|<[^>\n]*\.\.|<[ \t]*/|[A-Za-z_])))", kFiles);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:cblas|mkl|openblas)))", kForeignLibrary);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:time|sys/time|x86gprintrin|ia32intrin)))", kPatchedClock);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:pthread|threads|omp)))", kBackgroundWork);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:signal|setjmp)))", kSignals);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:dlfcn)))", kCtypes);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:stdio|unistd|fcntl|sys/)))", kFiles);
    p.emplace_back(R"(\b(constructor|__constructor__|destructor|__destructor__|ifunc|init_array)\b)", kWorkBeforeClock);
    p.emplace_back(R"(\b(cblas_\w+|[sdcz]gemm_?)\s*\()", kForeignLibrary);
    p.emplace_back(R"(\b(judge_clock|clock_gettime|__builtin_readcyclecounter|__rdtscp?|_rdtscp?)\b)", kPatchedClock);
    p.emplace_back(R"(\b(pthread_\w+|fork|vfork|clone|clone3|thrd_\w+|omp_\w+)\s*\()", kBackgroundWork);
    p.emplace_back(R"(\b(signal|sigaction|alarm|setitimer|setjmp|longjmp|__builtin_setjmp|raise|kill)\s*\()", kSignals);
    p.emplace_back(R"(\b(system|popen|exec[lv]\w*|posix_spawn)\s*\()", kSubprocess);
    p.emplace_back(R"(\b(dlopen|dlsym|dlmopen)\s*\()", kCtypes);
    p.emplace_back(R"(\b(syscall|fopen|open|openat|socket|connect|mmap|ptrace|memfd_create)\s*\()", kFiles);
    p.emplace_back(R"(\b(__builtin_frame_address|__builtin_return_address|__builtin_extract_return_addr)\b)",
                   kStackFrames);
    p.emplace_back(R"(\b(_Float16|__fp16|__bf16|__m\d+b?h|_mm\d*_\w*(?:dpbf16|_ph|bh|pbh)\w*|_tile_\w+)\b)",
                   kLowPrecision);
    return p;
  }();
  return patterns;
}

static const std::vector<Pattern> &cudaPatterns() {
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> p;
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*(?:"|<[^>\n]*\.\.|<[ \t]*/|[A-Za-z_])))", kFiles);
    p.emplace_back(R"(^[ \t]*#[ \t]*(include[ \t]*<(?:cublas|cutlass|cudnn|mma|cute)))", kForeignLibrary);
    p.emplace_back(R"(\b(__has_include|__has_include_next|__has_embed)\b)", kFiles);
    p.emplace_back(R"((<<<))", kGpuStream);
    p.emplace_back(R"(\b(cuda(?:Stream|Event|Device|Launch|Graph|Memcpy|Malloc)\w*)\s*\()", kGpuStream);
    p.emplace_back(R"(\b(clock|clock64|__globaltimer|__nanosleep)\s*\()", kPatchedClock);
    p.emplace_back(R"(\b(__half2?|half2?|__nv_bfloat16\w*|nv_bfloat16\w*|__nv_fp8\w*|_Float16|__bf16|wmma)\b)",
                   kLowPrecision);
    return p;
  }();
  return patterns;
}

static int lineOf(const std::string &source, size_t at) {
  return 1 + int(std::count(source.begin(), source.begin() + long(at), '\n'));
}

/// Imports of modules that are tricks; modules without harm are left to the worker, which has none of them.
static std::optional<Fault> lookAtImports(const std::string &text) {
  static const Pattern import(R"((?:^|[;:])[ \t]*(?:import|from)[ \t]+([A-Za-z_][\w.]*(?:[ \t]*,[ \t]*[\w.]+)*))", 0);
  for (auto match = import.find(text); match; match = import.find(text, match->second)) {
    std::string names = text.substr(match->first, match->second - match->first);
    for (size_t at = 0; at < names.size();) {
      size_t end = std::min(names.find(',', at), names.size());
      std::string name = names.substr(at, end - at);
      name.erase(0, name.find_first_not_of(" \t"));
      if (int cheat = cheatOfModule(name))
        return Fault{Verdict::Cheat, cheat,
                     fmt::format("line {}: import {}: {}", lineOf(text, match->first), name, describeCheat(cheat))};
      at = end + 1;
    }
  }
  return std::nullopt;
}

std::optional<Fault> lookAtSource(Language language, const std::string &source) {
  if (source.size() > kLargestSource)
    return Fault{Verdict::Invalid, 0,
                 fmt::format("{} bytes of source; at most {} are read", source.size(), kLargestSource)};
  std::string text = withoutCommentsAndLiterals(language, source);
  if (language == Language::Python)
    if (std::optional<Fault> fault = lookAtImports(text))
      return fault;
  for (const Pattern &p : language == Language::Python ? pythonPatterns()
                          : language == Language::C    ? cPatterns()
                                                       : cudaPatterns())
    if (auto match = p.find(text))
      return Fault{Verdict::Cheat, p.cheat,
                   fmt::format("line {}: {}: {}", lineOf(text, match->first),
                               text.substr(match->first, std::min<size_t>(match->second - match->first, 60)),
                               describeCheat(p.cheat))};
  // Assembly is looked at inside its literals.
  static const Pattern assembly(
      R"((?s)\b(?:__asm__|__asm|asm)\b.{0,200}?(\.incbin|\.include|syscall|sysenter|int\s+\$0x80))", 0);
  if (language != Language::Python)
    if (auto match = assembly.find(source))
      return Fault{Verdict::Cheat, kFiles,
                   fmt::format("line {}: {} in assembly: {}", lineOf(source, match->first),
                               source.substr(match->first, match->second - match->first), describeCheat(kFiles))};
  return std::nullopt;
}

} // namespace maskjit::rl
