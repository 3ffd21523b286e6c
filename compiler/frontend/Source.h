// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A .mask file's text and places in it, and how an error at such a place is shown.
#pragma once
#include "compiler/Result.h"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::frontend {

/// Half-open, in bytes of one file.
struct SourceRange {
  uint32_t begin = 0, end = 0;
};

struct SourceFile {
  std::string name; // as messages print it
  std::string text;
  std::vector<uint32_t> lineStarts; // filled by indexLines
  void indexLines();
  /// 0-based.
  uint32_t lineOf(uint32_t offset) const;
  /// Made by MaskBuilder: there is no text, places are not printed.
  bool built = false;
};

/// A place: a file and a range of it.
struct SourceSpan {
  const SourceFile *file = nullptr;
  SourceRange range;
};

/// 1-based; a column counts characters, not bytes.
struct LineColumn {
  unsigned line = 1, column = 1;
};
LineColumn lineColumn(const SourceFile &file, uint32_t offset);

/// `file:line:col: severity: message`, the line, a caret with tildes under the range, and after them what to do.
std::string renderDiagnostic(SourceSpan at, std::string_view severity, std::string_view message,
                             std::string_view advice = {});

/// The error `message` at a place; `advice` says what to write instead.
Error errorAt(SourceSpan at, std::string_view message, std::string_view advice = {});

/// `text` with what a terminal must not receive (control characters, bytes that are not UTF-8) replaced, at most
/// `limit` characters long.
std::string printable(std::string_view text, size_t limit = 60);

/// Bytes of the UTF-8 character at the front of `text`, 0 if the bytes are not one.
unsigned utf8Length(std::string_view text);

} // namespace maskjit::frontend
