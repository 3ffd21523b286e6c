// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the answer is in a completion: the last fenced block of the final channel, and nothing else.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace maskjit::rl {

/// What the user reads. In the harmony format (any of its special tokens in the text) that is the body of the last
/// assistant message of the channel `final`, nullopt if there is none; text without such tokens is plain and final as
/// a whole. A message ends with <|end|>, <|return|>, <|call|>, the next <|start|> or <|channel|>, or the text.
///   "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>42" -> "42"
std::optional<std::string_view> finalChannel(std::string_view completion);

struct CodeBlock {
  std::string language; // first word of the info string: "python"; may be empty
  std::string code;     // with the newline that ends its last line
};

/// The last fenced block as CommonMark defines fences: three or more backticks or tildes, indented by up to three
/// blanks, closed by at least as many of the same. If the last fence is not closed there is none: an unfinished answer
/// does not fall back on an earlier block, which may be a decoy.
std::optional<CodeBlock> lastFencedBlock(std::string_view text);

/// lastFencedBlock of the finalChannel.
std::optional<CodeBlock> answerCode(std::string_view completion);

} // namespace maskjit::rl
