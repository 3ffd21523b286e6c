// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// JSON schemas written as the TypeScript types in which harmony describes functions.
#include "model/Harmony.h"
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace maskjit::harmony {

namespace {
using Json = nlohmann::ordered_json;

std::string joined(const std::vector<std::string> &alternatives) {
  std::string text;
  for (const std::string &alternative : alternatives)
    text += (text.empty() ? "" : " | ") + alternative;
  return text;
}

bool hasEnum(const Json &schema) {
  const auto it = schema.find("enum");
  return it != schema.end() && it->is_array() && !it->empty();
}

std::string commentOf(const Json &schema, const char *field, const std::string &indent) {
  const auto it = schema.find(field);
  return it != schema.end() && it->is_string() ? indent + "// " + it->get<std::string>() + "\n" : "";
}

std::string propertyOf(const std::string &name, const Json &schema, bool required, const std::string &indent) {
  std::string text;
  if (schema.contains("title"))
    text += commentOf(schema, "title", indent) + indent + "//\n";
  text += commentOf(schema, "description", indent);
  if (const auto examples = schema.find("examples"); examples != schema.end() && !examples->empty()) {
    text += indent + "// Examples:\n";
    for (const Json &example : *examples)
      if (example.is_string())
        text += indent + "// - \"" + example.get<std::string>() + "\"\n";
  }
  std::string type = typeOfSchema(schema, indent + "    ");
  if (schema.value("nullable", false) && type.find("null") == type.npos)
    type += " | null";
  text += fmt::format("{}{}{}: {},", indent, name, required ? "" : "?", type);
  if (const auto value = schema.find("default"); value != schema.end())
    // The default of an enumeration has no quotes.
    text += " // default: " + (value->is_string() && hasEnum(schema) ? value->get<std::string>() : value->dump());
  return text + "\n";
}

std::string objectType(const Json &schema, const std::string &indent) {
  std::string text = commentOf(schema, "description", indent) + "{\n";
  const Json required = schema.value("required", Json::array());
  if (const auto properties = schema.find("properties"); properties != schema.end())
    for (const auto &[name, property] : properties->items()) {
      const bool isRequired = std::find(required.begin(), required.end(), name) != required.end();
      text += propertyOf(name, property, isRequired, indent);
    }
  return text + indent + "}";
}
} // namespace

std::string typeOfSchema(const Json &schema, const std::string &indent) {
  for (const char *unsupported : {"oneOf", "anyOf", "allOf", "$ref"})
    if (schema.contains(unsupported))
      throw std::runtime_error(fmt::format("harmony: a function's schema has {}, which is not supported", unsupported));
  const auto type = schema.find("type");
  if (type == schema.end())
    return "any";
  if (type->is_array()) {
    std::vector<std::string> alternatives;
    for (const Json &alternative : *type)
      alternatives.push_back(alternative == "integer" ? "number" : alternative.get<std::string>());
    return joined(alternatives);
  }
  if (*type == "object")
    return objectType(schema, indent);
  if (*type == "string" && hasEnum(schema)) {
    std::vector<std::string> values;
    for (const Json &value : schema["enum"])
      if (value.is_string())
        values.push_back("\"" + value.get<std::string>() + "\"");
    return values.empty() ? "string" : joined(values);
  }
  if (*type == "array")
    return schema.contains("items") ? typeOfSchema(schema["items"], indent) + "[]" : "Array<any>";
  if (*type == "number" || *type == "integer")
    return "number";
  return *type == "string" || *type == "boolean" ? type->get<std::string>() : "any";
}

} // namespace maskjit::harmony
