// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Typed access to the fields of a JSON object, with messages that name file and field.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

namespace maskjit {

/// Throws std::runtime_error if the file cannot be read.
std::string readTextFile(const std::string &file);
/// Writes through a temporary file and renames it, so that nobody sees half of it.
void writeTextFile(const std::string &file, const std::string &text);

/// One object. Every accessor throws std::runtime_error "FILE: FIELD: what was expected, what came".
class JsonFields {
public:
  static JsonFields parse(const std::string &text, const std::string &file);

  const nlohmann::json *find(const char *name) const; // null if there is none
  JsonFields object(const char *name) const;
  int64_t integer(const char *name, int64_t min, int64_t max, std::optional<int64_t> fallback = std::nullopt) const;
  double number(const char *name, double min, double max, std::optional<double> fallback = std::nullopt) const;
  bool boolean(const char *name, bool fallback) const;
  std::string text(const char *name, const std::string &fallback) const;

  [[noreturn]] void fail(const std::string &name, const std::string &why) const;

private:
  nlohmann::json values;
  std::string file, path; // path: the objects around, "rope_scaling."

  const nlohmann::json *present(const char *name) const; // null for an absent field or an explicit null
};

} // namespace maskjit
