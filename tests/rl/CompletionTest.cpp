// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A table of completions and the code that counts in each: decoys, several fences, other channels, broken fences.
#include "rl/tasks/Completion.h"
#include <gtest/gtest.h>

using namespace maskjit::rl;

namespace {

struct Row {
  const char *what;
  std::string_view completion;
  std::optional<std::string_view> code;
};

constexpr Row kTable[] = {
    {"plain text with one block", "Here:\n```python\nx = 1\n```\nDone.", "x = 1\n"},
    {"no language", "```\nx = 1\n```", "x = 1\n"},
    {"two blocks: the last one", "```python\nx = 1\n```\nbetter:\n```python\nx = 2\n```\n", "x = 2\n"},
    {"the last block counts even if it is no code", "```python\nx = 1\n```\nprints\n```text\n1\n```", "1\n"},
    {"no fence", "def matmul(A, B): return A", std::nullopt},
    {"empty", "", std::nullopt},
    {"empty block", "```python\n```", ""},
    {"unclosed", "```python\nx = 1\n", std::nullopt},
    {"closed decoy before an unclosed block", "```python\nx = 1\n```\n```python\nx = 2\n", std::nullopt},
    {"longer fence around a shorter one", "````\n```\nx = 1\n```\n````", "```\nx = 1\n```\n"},
    {"tildes around backticks", "~~~\n```\nx = 1\n```\n~~~", "```\nx = 1\n```\n"},
    {"a fence with words does not close", "```python\nx = 1\n```python\nx = 2\n```", "x = 1\n```python\nx = 2\n"},
    {"inline code is no fence", "Use ```x = 0``` here.\n```x = 3```\n", std::nullopt},
    {"indented as in a list", "  ```python\n  if x:\n    y\n  ```", "if x:\n  y\n"},
    {"four blanks are text", "    ```python\n    x = 1\n    ```", std::nullopt},
    {"carriage returns", "```python\r\nx = 1\r\n```\r\n", "x = 1\n"},
    {"harmony, final only", "<|channel|>final<|message|>```\nx = 1\n```<|return|>", "x = 1\n"},
    {"code in the analysis channel", "<|channel|>analysis<|message|>```\nx = 1\n```<|end|>", std::nullopt},
    {"analysis decoy, final without code",
     "<|channel|>analysis<|message|>```\nx = 1\n```<|end|><|start|>assistant<|channel|>final<|message|>see above",
     std::nullopt},
    {"analysis decoy, code in final",
     "<|channel|>analysis<|message|>```\nx = 1\n```<|end|><|start|>assistant<|channel|>final<|message|>```\nx = "
     "2\n```",
     "x = 2\n"},
    {"code in analysis after final",
     "<|channel|>final<|message|>```\nx = 2\n```<|end|><|start|>assistant<|channel|>analysis<|message|>```\nx = 3\n```",
     "x = 2\n"},
    {"two final messages: the last one",
     "<|channel|>final<|message|>```\nx = 1\n```<|end|><|start|>assistant<|channel|>final<|message|>```\nx = 2\n```",
     "x = 2\n"},
    {"commentary to a tool", "<|channel|>commentary to=python <|constrain|>json<|message|>```\nx = 1\n```<|call|>",
     std::nullopt},
    {"another role in the channel final",
     "<|channel|>final<|message|>```\nx = 1\n```<|end|><|start|>user<|channel|>final<|message|>```\nx = 2\n```",
     "x = 1\n"},
    {"a fence that spans channels is not closed by the other",
     "<|channel|>analysis<|message|>```\nx = 1\n<|end|><|start|>assistant<|channel|>final<|message|>\n```\n",
     std::nullopt},
    {"the prompt opened the final message", "```\nx = 1\n```<|return|>```\nx = 2\n```", "x = 1\n"},
    {"text before the first channel", "```\nx = 1\n```<|channel|>analysis<|message|>hm<|end|>", std::nullopt},
    {"channel without a message", "<|channel|>final```\nx = 1\n```", std::nullopt},
    {"final followed by a new channel without a header",
     "<|channel|>final<|message|>```\nx = 1\n```<|channel|>analysis<|message|>```\nx = 2\n```", "x = 1\n"},
};

TEST(Completion, Table) {
  for (const Row &row : kTable) {
    std::optional<CodeBlock> block = answerCode(row.completion);
    EXPECT_EQ(block.has_value(), row.code.has_value()) << row.what;
    if (block && row.code)
      EXPECT_EQ(block->code, *row.code) << row.what;
  }
}

TEST(Completion, LanguageIsTheFirstWord) {
  EXPECT_EQ(lastFencedBlock("```python title=\"a b\"\n```")->language, "python");
  EXPECT_EQ(lastFencedBlock("~~~ c\n~~~")->language, "c");
  EXPECT_EQ(lastFencedBlock("```\n```")->language, "");
}

TEST(Completion, PlainTextIsFinal) {
  EXPECT_EQ(finalChannel("a < b | c"), "a < b | c");
  EXPECT_EQ(finalChannel("<|channel|>final<|message|>42<|return|>"), "42");
  EXPECT_EQ(finalChannel("<|channel|>analysis<|message|>42"), std::nullopt);
}

} // namespace
