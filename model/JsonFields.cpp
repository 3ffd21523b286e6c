// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Typed access to JSON fields; the files are untrusted input.
#include "model/JsonFields.h"
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace maskjit {

std::string readTextFile(const std::string &file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()))
    throw std::runtime_error(file + ": cannot be read; is it there and readable?");
  return text.str();
}

void writeTextFile(const std::string &file, const std::string &text) {
  const std::string temporary = fmt::format("{}.{}.tmp", file, getpid());
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  std::error_code error;
  if (out)
    std::filesystem::rename(temporary, file, error);
  if (!out || error) {
    std::filesystem::remove(temporary, error);
    throw std::runtime_error(file + ": cannot be written; is the folder there, and is there room?");
  }
}

JsonFields JsonFields::parse(const std::string &text, const std::string &file) {
  JsonFields fields;
  fields.file = file;
  try {
    fields.values = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception &error) {
    throw std::runtime_error(file + ": not JSON: " + error.what());
  }
  if (!fields.values.is_object())
    throw std::runtime_error(file + ": expected a JSON object, got " + fields.values.type_name());
  return fields;
}

void JsonFields::fail(const std::string &name, const std::string &why) const {
  throw std::runtime_error(fmt::format("{}: {}{}: {}", file, path, name, why));
}

const nlohmann::json *JsonFields::find(const char *name) const {
  auto it = values.find(name);
  return it == values.end() ? nullptr : &*it;
}

const nlohmann::json *JsonFields::present(const char *name) const {
  const nlohmann::json *value = find(name);
  return value && !value->is_null() ? value : nullptr;
}

JsonFields JsonFields::object(const char *name) const {
  const nlohmann::json *value = find(name);
  if (!value || !value->is_object())
    fail(name, std::string("expected an object, ") + (value ? "got " + value->dump() : "but there is no such field"));
  JsonFields inner;
  inner.values = *value;
  inner.file = file;
  inner.path = path + name + ".";
  return inner;
}

int64_t JsonFields::integer(const char *name, int64_t min, int64_t max, std::optional<int64_t> fallback) const {
  const nlohmann::json *value = present(name);
  if (!value && fallback)
    return *fallback;
  const std::string expected = fmt::format("expected an integer in {}..{}, ", min, max);
  if (!value)
    fail(name, expected + "but there is no such field");
  const bool fits = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  if (!fits || value->get<int64_t>() < min || value->get<int64_t>() > max)
    fail(name, expected + "got " + value->dump());
  return value->get<int64_t>();
}

double JsonFields::number(const char *name, double min, double max, std::optional<double> fallback) const {
  const nlohmann::json *value = present(name);
  if (!value && fallback)
    return *fallback;
  const std::string expected = fmt::format("expected a number in {}..{}, ", min, max);
  if (!value)
    fail(name, expected + "but there is no such field");
  if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() <= max))
    fail(name, expected + "got " + value->dump());
  return value->get<double>();
}

bool JsonFields::boolean(const char *name, bool fallback) const {
  const nlohmann::json *value = present(name);
  if (value && !value->is_boolean())
    fail(name, "expected true or false, got " + value->dump());
  return value ? value->get<bool>() : fallback;
}

std::string JsonFields::text(const char *name, const std::string &fallback) const {
  const nlohmann::json *value = present(name);
  if (value && !value->is_string())
    fail(name, "expected a string, got " + value->dump());
  return value ? value->get<std::string>() : fallback;
}

} // namespace maskjit
