// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The JSON form of messages, and the text of system and developer parts.
#include "model/Harmony.h"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace maskjit::harmony {

namespace {
using Json = nlohmann::ordered_json;

/// Empty if the field is missing or null.
std::string textField(const Json &object, const char *name) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null())
    return {};
  if (!it->is_string())
    throw std::runtime_error(fmt::format("harmony: {} is {}, expected a string", name, it->dump()));
  return *it;
}

/// Null if the field is missing, null or empty.
const Json *filledField(const Json &object, const char *name) {
  const auto it = object.find(name);
  return it == object.end() || it->empty() ? nullptr : &*it;
}

std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string toolsText(const Json &namespaces) {
  std::vector<std::string> sections{"# Tools"};
  for (const auto &[key, space] : namespaces.items()) {
    const std::string name = textField(space, "name");
    const Json *functions = filledField(space, "tools");
    std::vector<std::string> parts{"## " + name + "\n"};
    for (const std::string &line : linesOf(textField(space, "description")))
      parts.push_back(functions ? "// " + line : line);
    if (functions) {
      parts.push_back("namespace " + name + " {\n");
      for (const Json &function : *functions) {
        for (const std::string &line : linesOf(textField(function, "description")))
          parts.push_back("// " + line);
        const auto schema = function.find("parameters");
        const bool takesNothing = schema == function.end() || schema->is_null();
        parts.push_back(fmt::format("type {} = ({}) => any;\n", textField(function, "name"),
                                    takesNothing ? "" : "_: " + typeOfSchema(*schema)));
      }
      parts.push_back("} // namespace " + name);
    }
    sections.push_back(fmt::format("{}", fmt::join(parts, "\n")));
  }
  return fmt::format("{}", fmt::join(sections, "\n\n"));
}

std::string partText(const Json &part, const std::string &role, bool hasFunctions) {
  const std::string type = textField(part, "type");
  if (type == "text")
    return textField(part, "text");
  if (type == "system_content" && role == "system")
    return systemText(part, hasFunctions);
  if (type == "developer_content" && role == "developer")
    return developerText(part);
  throw std::runtime_error(fmt::format("harmony: a part of type '{}' in a message of role '{}'; expected text, "
                                       "system_content (system) or developer_content (developer)",
                                       type, role));
}
} // namespace

std::string systemText(const Json &content, bool hasFunctions) {
  if (filledField(content, "tools"))
    throw std::runtime_error("harmony: tools of the system message (browser, python) are not supported; "
                             "describe functions in a developer message");
  std::vector<std::string> sections, top;
  if (const std::string identity = textField(content, "model_identity"); !identity.empty())
    top.push_back(identity);
  if (const std::string cutoff = textField(content, "knowledge_cutoff"); !cutoff.empty())
    top.push_back("Knowledge cutoff: " + cutoff);
  if (const std::string date = textField(content, "conversation_start_date"); !date.empty())
    top.push_back("Current date: " + date);
  if (!top.empty())
    sections.push_back(fmt::format("{}", fmt::join(top, "\n")));
  if (std::string effort = textField(content, "reasoning_effort"); !effort.empty()) {
    for (char &c : effort)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    sections.push_back("Reasoning: " + effort);
  }
  const Json *channels = filledField(content, "channel_config");
  if (const Json *valid = channels ? filledField(*channels, "valid_channels") : nullptr) {
    std::string line = fmt::format("# Valid channels: {}.", fmt::join(valid->get<std::vector<std::string>>(), ", "));
    if (channels->value("channel_required", false))
      line += " Channel must be included for every message.";
    if (hasFunctions)
      line += "\nCalls to these tools must go to the commentary channel: 'functions'.";
    sections.push_back(line);
  }
  return fmt::format("{}", fmt::join(sections, "\n\n"));
}

std::string developerText(const Json &content) {
  std::vector<std::string> sections;
  if (const auto it = content.find("instructions"); it != content.end() && !it->is_null())
    sections = {"# Instructions", textField(content, "instructions")};
  if (const Json *tools = filledField(content, "tools"))
    sections.push_back(toolsText(*tools));
  return fmt::format("{}", fmt::join(sections, "\n\n"));
}

std::vector<Message> messagesFromJson(const Json &messages) {
  try {
    bool hasFunctions = false;
    for (const Json &message : messages)
      for (const Json &part : message.at("content"))
        if (const Json *tools = part.is_object() ? filledField(part, "tools") : nullptr)
          hasFunctions |= tools->contains("functions") && filledField((*tools)["functions"], "tools");
    std::vector<Message> result;
    for (const Json &source : messages) {
      Message message{source.at("role"),
                      textField(source, "name"),
                      textField(source, "channel"),
                      textField(source, "recipient"),
                      textField(source, "content_type"),
                      {}};
      const Json &content = source.at("content");
      if (content.is_string())
        message.text = content;
      else
        for (const Json &part : content)
          message.text += partText(part, message.role, hasFunctions);
      result.push_back(std::move(message));
    }
    return result;
  } catch (const Json::exception &error) { // a field of another type, or none
    throw std::runtime_error(fmt::format("harmony: a message does not have the expected form: {}", error.what()));
  }
}

} // namespace maskjit::harmony
