// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads tokenizer.json and refuses, by name, whatever would make Hugging Face's result differ from ours.
#include "model/tokenizer/Vocabulary.h"
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace maskjit {

namespace {
using nlohmann::json;
/// Bounds the tables that a file can make us allocate.
constexpr int64_t kMaxTokenId = (1 << 24) - 1;

class Reader {
public:
  explicit Reader(const std::string &file) : file(file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
      throw std::runtime_error(fmt::format("{}: cannot open", file));
    try {
      root = json::parse(stream);
    } catch (const json::parse_error &error) {
      throw std::runtime_error(fmt::format("{}: not JSON at byte {}", file, error.byte));
    }
  }

  Vocabulary read() {
    const json &model = object(root, "model");
    require(text(model, "type", "model.type") == "BPE", "model.type", "BPE");
    for (const char *absent : {"dropout", "unk_token"})
      require(!model.contains(absent) || model[absent].is_null(), std::string("model.") + absent, "null");
    for (const char *empty : {"continuing_subword_prefix", "end_of_word_suffix"})
      require(!model.contains(empty) || model[empty].is_null() || model[empty] == "", std::string("model.") + empty,
              "null or empty");
    require(!flag(model, "byte_fallback"), "model.byte_fallback", "false");
    require(!root.contains("normalizer") || root["normalizer"].is_null(), "normalizer", "null");
    require(object(root, "decoder").value("type", "") == "ByteLevel", "decoder.type", "ByteLevel");
    if (root.contains("post_processor") && !root["post_processor"].is_null()) // it moves offsets, no ids
      require(root["post_processor"].value("type", "") == "ByteLevel", "post_processor.type", "ByteLevel");

    Vocabulary vocabulary;
    vocabulary.ignoreMerges = flag(model, "ignore_merges");
    readTokens(object(model, "vocab"), vocabulary);
    readMerges(array(model, "merges"), vocabulary);
    vocabulary.wordExpression = readExpression(object(root, "pre_tokenizer"));
    if (root.contains("added_tokens"))
      for (const json &token : array(root, "added_tokens"))
        vocabulary.added.push_back(readAdded(token));
    return vocabulary;
  }

private:
  [[noreturn]] void fail(const std::string &field, const std::string &expected) const {
    throw std::runtime_error(fmt::format("{}: {}: expected {}", file, field, expected));
  }
  void require(bool holds, const std::string &field, const std::string &expected) const {
    if (!holds)
      fail(field, expected);
  }
  const json &object(const json &parent, const char *name) const {
    require(parent.is_object() && parent.contains(name) && parent[name].is_object(), name, "an object");
    return parent[name];
  }
  const json &array(const json &parent, const char *name) const {
    require(parent.contains(name) && parent[name].is_array(), name, "an array");
    return parent[name];
  }
  std::string text(const json &parent, const char *name, const std::string &field) const {
    require(parent.is_object() && parent.contains(name) && parent[name].is_string(), field, "a string");
    return parent[name];
  }
  bool flag(const json &parent, const char *name) const {
    if (!parent.contains(name))
      return false;
    require(parent[name].is_boolean(), name, "true or false");
    return parent[name];
  }
  int32_t tokenId(const json &value, const std::string &field) const {
    require(value.is_number_unsigned() && value.get<uint64_t>() <= kMaxTokenId, field,
            fmt::format("an id from 0 to {}", kMaxTokenId));
    return value;
  }

  void readTokens(const json &vocab, Vocabulary &vocabulary) const {
    vocabulary.tokens.reserve(vocab.size());
    for (const auto &[piece, id] : vocab.items()) {
      const int32_t token = tokenId(id, "model.vocab." + piece);
      // A piece that byte-level text cannot spell (an added token's) is reached through added_tokens alone.
      if (auto bytes = bytesOfByteLevel(piece))
        vocabulary.tokens.emplace(std::move(*bytes), token);
    }
  }

  void readMerges(const json &merges, Vocabulary &vocabulary) const {
    vocabulary.merges.reserve(merges.size());
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      const json &merge = merges[rank];
      const auto field = [&] { return fmt::format("model.merges[{}]", rank); };
      std::string left, right;
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0];
        right = merge[1];
      } else if (merge.is_string()) { // the older spelling: "left right"
        const std::string both = merge;
        const size_t space = both.find(' ');
        require(space != both.npos && both.find(' ', space + 1) == both.npos, field(), "two tokens and a space");
        left = both.substr(0, space);
        right = both.substr(space + 1);
      } else
        fail(field(), "a pair of strings");
      const auto token = [&](const std::string &piece) {
        const auto bytes = bytesOfByteLevel(piece);
        const auto it = bytes ? vocabulary.tokens.find(*bytes) : vocabulary.tokens.end();
        if (it == vocabulary.tokens.end())
          fail(field(), fmt::format("tokens of model.vocab, which has no '{}'", piece));
        return it->second;
      };
      vocabulary.merges.push_back({token(left), token(right), token(left + right)});
    }
  }

  std::string readExpression(const json &preTokenizer) const {
    const std::string expected =
        "a Sequence of one Split (Regex, Isolated) and a ByteLevel (no prefix space, no regex)";
    require(preTokenizer.value("type", "") == "Sequence", "pre_tokenizer", expected);
    const json &steps = array(preTokenizer, "pretokenizers");
    require(steps.size() == 2 && steps[0].is_object() && steps[1].is_object(), "pre_tokenizer", expected);
    const json &split = steps[0], &bytes = steps[1];
    require(split.value("type", "") == "Split" && split.value("behavior", "") == "Isolated" && !flag(split, "invert"),
            "pre_tokenizer", expected);
    require(bytes.value("type", "") == "ByteLevel" && !flag(bytes, "add_prefix_space") && bytes.contains("use_regex") &&
                !flag(bytes, "use_regex"),
            "pre_tokenizer", expected);
    return text(object(split, "pattern"), "Regex", "pre_tokenizer.pattern.Regex");
  }

  AddedToken readAdded(const json &token) const {
    AddedToken added;
    require(token.is_object() && token.contains("id"), "added_tokens", "objects with id and content");
    added.id = tokenId(token["id"], "added_tokens.id");
    added.content = text(token, "content", "added_tokens.content");
    added.special = flag(token, "special");
    added.normalized = flag(token, "normalized");
    for (const char *unsupported : {"single_word", "lstrip", "rstrip"})
      require(!flag(token, unsupported), fmt::format("added_tokens '{}'.{}", added.content, unsupported), "false");
    return added;
  }

  std::string file;
  json root;
};
} // namespace

Vocabulary Vocabulary::fromJson(const std::string &file) {
  try {
    return Reader(file).read();
  } catch (const json::exception &error) { // a value of another type where value() expected a string
    throw std::runtime_error(fmt::format("{}: {}", file, error.what()));
  }
}

} // namespace maskjit
