// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer of the warm start.
#include "rl/tasks/ByteTokenizer.h"
#include <nlohmann/json.hpp>

namespace maskjit::rl {

/// GPT-2's printable stand-in for a byte, as UTF-8: printable Latin-1 stands for itself, the rest follows from U+0100.
static std::string standIn(int byte, int &next) {
  bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  int code = printable ? byte : next++;
  if (code < 0x80)
    return std::string(1, char(code));
  return {char(0xc0 | code >> 6), char(0x80 | (code & 0x3f))};
}

/// How o200k_harmony splits text into words: the split matters once there are merges, and readers expect one.
constexpr const char *kSplit =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|)"
    R"(\s*[\r\n]+|)"
    R"(\s+(?!\S)|)"
    R"(\s+)";

std::string ByteTokenizer::json() {
  static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>",   "<|reserved_2|>", "<|reserved_3|>",
                                         "<|return|>",      "<|constrain|>",   "<|reserved_6|>", "<|channel|>",
                                         "<|start|>",       "<|end|>",         "<|message|>",    "<|reserved_11|>",
                                         "<|reserved_12|>", "<|reserved_13|>", "<|call|>",       "<|reserved_15|>"};
  using json = nlohmann::ordered_json;
  json vocabulary = json::object(), added = json::array();
  int next = 0x100, id = 0;
  for (; id < 256; ++id)
    vocabulary[standIn(id, next)] = id;
  for (const char *text : specials)
    added.push_back({{"id", id++},
                     {"content", text},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  json byteLevel{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  json split{{"type", "Sequence"},
             {"pretokenizers",
              {{{"type", "Split"}, {"pattern", {{"Regex", kSplit}}}, {"behavior", "Isolated"}, {"invert", false}},
               byteLevel}}};
  json model{{"type", "BPE"},
             {"dropout", nullptr},
             {"unk_token", nullptr},
             {"continuing_subword_prefix", nullptr},
             {"end_of_word_suffix", nullptr},
             {"fuse_unk", false},
             {"byte_fallback", false},
             {"ignore_merges", false},
             {"vocab", vocabulary},
             {"merges", json::array()}};
  return json{{"version", "1.0"},      {"truncation", nullptr},  {"padding", nullptr},          {"added_tokens", added},
              {"normalizer", nullptr}, {"pre_tokenizer", split}, {"post_processor", byteLevel}, {"decoder", byteLevel},
              {"model", model}}
             .dump(1) +
         "\n";
}

} // namespace maskjit::rl
