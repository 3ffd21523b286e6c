// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Positions, and errors in the manner of clang.
#include "compiler/frontend/Source.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit::frontend {

/// Characters of a source line that a message shows; longer lines are cut around the place.
constexpr size_t kShownColumns = 110;

unsigned utf8Length(std::string_view text) {
  if (text.empty())
    return 0;
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80)
    return 1;
  const unsigned length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length)
    return 0;
  for (unsigned i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  // Overlong forms, surrogates and what lies past U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
      (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return length;
}

/// Calls visit(offset, bytes of the character; 1 and false where it is not to be printed as it stands).
template <class Visit> static void forEachCharacter(std::string_view text, Visit visit) {
  for (size_t at = 0; at < text.size();) {
    const unsigned length = utf8Length(text.substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool control =
        length == 1 ? byte < 0x20 || byte == 0x7F : length == 2 && byte == 0xC2 && (text[at + 1] & 0x20) == 0;
    visit(at, length == 0 ? 1 : length, length != 0 && !control);
    at += length == 0 ? 1 : length;
  }
}

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  size_t count = 0;
  forEachCharacter(text, [&](size_t at, unsigned length, bool plain) {
    if (count++ < limit)
      out += plain ? std::string(text.substr(at, length)) : text[at] == '\t' ? " " : "?";
  });
  return count > limit ? out + "..." : out;
}

void SourceFile::indexLines() {
  lineStarts = {0};
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
    lineStarts.push_back(static_cast<uint32_t>(at + 1));
}

uint32_t SourceFile::lineOf(uint32_t offset) const {
  return static_cast<uint32_t>(std::upper_bound(lineStarts.begin(), lineStarts.end(), offset) - lineStarts.begin() - 1);
}

static std::string_view lineAround(const SourceFile &file, uint32_t offset) {
  const uint32_t begin = file.lineStarts[file.lineOf(offset)];
  std::string_view line = std::string_view(file.text).substr(begin);
  line = line.substr(0, line.find('\n'));
  if (!line.empty() && line.back() == '\r')
    line.remove_suffix(1);
  return line;
}

LineColumn lineColumn(const SourceFile &file, uint32_t offset) {
  offset = std::min<uint32_t>(offset, file.text.size());
  LineColumn place;
  place.line = 1 + file.lineOf(offset);
  const uint32_t begin = file.lineStarts[place.line - 1];
  forEachCharacter(std::string_view(file.text).substr(begin, offset - begin),
                   [&](size_t, unsigned, bool) { ++place.column; });
  return place;
}

std::string renderDiagnostic(SourceSpan at, std::string_view severity, std::string_view message,
                             std::string_view advice) {
  const SourceFile &file = *at.file;
  if (file.built)
    return fmt::format("{}: {}: {}{}{}", file.name, severity, message, advice.empty() ? "" : "; ", advice);
  const uint32_t begin = std::min<uint32_t>(at.range.begin, file.text.size());
  const LineColumn place = lineColumn(file, begin);
  const std::string_view line = lineAround(file, begin);
  const size_t caret = place.column - 1;
  const uint32_t lineBegin = static_cast<uint32_t>(line.data() - file.text.data());
  const uint32_t end = std::clamp<uint32_t>(at.range.end, begin, lineBegin + static_cast<uint32_t>(line.size()));

  // The characters of the line that are shown: [first, last), around the caret.
  const size_t first = caret > kShownColumns - 30 ? caret - (kShownColumns - 30) : 0, last = first + kShownColumns;
  std::string shown = first > 0 ? "..." : "";
  size_t count = 0, width = 0;
  forEachCharacter(line, [&](size_t offset, unsigned length, bool plain) {
    if (first <= count && count < last) {
      shown += plain ? std::string(line.substr(offset, length)) : line[offset] == '\t' ? " " : "?";
      const uint32_t where = lineBegin + static_cast<uint32_t>(offset);
      width += begin <= where && where < end;
    }
    ++count;
  });
  if (count > last)
    shown += "...";
  const std::string under(caret - first + (first > 0 ? 3 : 0), ' ');
  return fmt::format("{}:{}:{}: {}: {}\n  {}\n  {}^{}{}{}", file.name, place.line, place.column, severity, message,
                     shown, under, std::string(width > 1 ? width - 1 : 0, '~'), advice.empty() ? "" : " ", advice);
}

Error errorAt(SourceSpan at, std::string_view message, std::string_view advice) {
  return {renderDiagnostic(at, "error", message, advice)};
}

} // namespace maskjit::frontend
