// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The regular expression on PCRE2, compiled by its JIT where there is one.
#include "model/tokenizer/WordSplitter.h"
#include <fmt/format.h>
#include <stdexcept>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace maskjit {

namespace {
/// Writes out \s and \S as classes.
std::string withWhiteSpaceSpelledOut(const std::string &expression) {
  const std::string space = "\\p{Z}\\t-\\r\\x{85}";
  std::string result;
  bool inClass = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c != '\\' || i + 1 == expression.size()) {
      inClass = c == '[' || (inClass && c != ']');
      result += c;
      continue;
    }
    const char escaped = expression[++i];
    if (escaped == 's')
      result += inClass ? space : "[" + space + "]";
    else if (escaped == 'S' && !inClass)
      result += "[^" + space + "]";
    else if (escaped == 'S')
      throw std::runtime_error(
          fmt::format("regular expression {}: \\S inside a class is not supported; write [^\\s...]", expression));
    else
      result.append({c, escaped});
  }
  return result;
}

template <class T, void (*Free)(T *)> using Owned = std::unique_ptr<T, std::integral_constant<void (*)(T *), Free>>;

/// What a thread needs to match; none of it may be shared.
struct Scratch {
  Owned<pcre2_match_data, pcre2_match_data_free> match{pcre2_match_data_create(1, nullptr)};
  Owned<pcre2_match_context, pcre2_match_context_free> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_jit_stack, pcre2_jit_stack_free> stack{pcre2_jit_stack_create(32 << 10, 16 << 20, nullptr)};
  Scratch() {
    if (!match || !context || !stack)
      throw std::bad_alloc();
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    // The default of 10 million backtracks would refuse a long word, whose backtracking is linear.
    pcre2_set_match_limit(context.get(), UINT32_MAX);
  }
};
} // namespace

WordSplitter::WordSplitter(const std::string &expression) {
  const std::string spelled = withWhiteSpaceSpelledOut(expression);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code *compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(),
                                       PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (!compiled) {
    PCRE2_UCHAR reason[256] = {};
    pcre2_get_error_message(error, reason, sizeof reason);
    throw std::runtime_error(
        fmt::format("regular expression {}: {} (at {})", spelled, reinterpret_cast<char *>(reason), offset));
  }
  code = std::shared_ptr<const void>(compiled, [](pcre2_code *c) { pcre2_code_free(c); });
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); // where there is no JIT, pcre2_match interprets
}

void WordSplitter::split(std::string_view text, const std::function<void(std::string_view)> &visit) const {
  thread_local Scratch scratch;
  const auto *compiled = static_cast<const pcre2_code *>(code.get());
  const auto *subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t visited = 0, from = 0;
  while (from < text.size()) {
    // The text is known to be UTF-8: a check at every match would make the whole quadratic.
    uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    int found = pcre2_match(compiled, subject, text.size(), from, options, scratch.match.get(), scratch.context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
      found = pcre2_match(compiled, subject, text.size(), from, options | PCRE2_NO_JIT, scratch.match.get(),
                          scratch.context.get());
    if (found == PCRE2_ERROR_NOMATCH)
      break;
    if (found < 0) {
      PCRE2_UCHAR reason[256] = {};
      pcre2_get_error_message(found, reason, sizeof reason);
      throw std::runtime_error(
          fmt::format("splitting {} bytes of text: {}", text.size(), reinterpret_cast<char *>(reason)));
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(scratch.match.get());
    if (span[0] < visited || span[1] <= span[0])
      throw std::runtime_error(
          "the tokenizer's regular expression moves a match's start with \\K, which is not supported");
    if (span[0] > visited)
      visit(text.substr(visited, span[0] - visited));
    visit(text.substr(span[0], span[1] - span[0]));
    visited = from = span[1];
  }
  if (visited < text.size())
    visit(text.substr(visited));
}

} // namespace maskjit
