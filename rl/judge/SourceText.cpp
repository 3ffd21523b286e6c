// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Comments and literals of Python and C, blanked.
#include "rl/judge/StaticFilter.h"

namespace maskjit::rl {

namespace {
class Blanker {
public:
  Blanker(const std::string &source, bool python) : text(source), python(python) {}

  std::string run() {
    while (at < text.size()) {
      if (python ? text[at] == '#' : starts("//"))
        blankUntil("\n");
      else if (!python && starts("/*"))
        blankUntil("*/", 2);
      else if (python && (starts("\"\"\"") || starts("'''")))
        literal(text.substr(at, 3));
      else if (text[at] == '"' || text[at] == '\'')
        literal(text.substr(at, 1));
      else
        ++at;
    }
    return text;
  }

private:
  bool starts(const char *what) const { return text.compare(at, std::char_traits<char>::length(what), what) == 0; }
  void blank() {
    if (text[at] != '\n')
      text[at] = ' ';
    ++at;
  }
  void blankUntil(const char *end, size_t endLength = 0) {
    while (at < text.size() && !starts(end))
      blank();
    for (size_t i = 0; i < endLength && at < text.size(); ++i)
      blank();
  }
  /// Keeps the quotes. One that is not closed on its line ends there, unless it is a long one.
  void literal(const std::string &quote) {
    at += quote.size();
    while (at < text.size() && !starts(quote.c_str())) {
      if (text[at] == '\n' && quote.size() == 1)
        return;
      if (text[at] == '\\' && at + 1 < text.size())
        blank();
      blank();
    }
    at = std::min(text.size(), at + quote.size());
  }

  std::string text;
  const bool python;
  size_t at = 0;
};
} // namespace

std::string withoutCommentsAndLiterals(Language language, const std::string &source) {
  return Blanker(source, language == Language::Python).run();
}

} // namespace maskjit::rl
