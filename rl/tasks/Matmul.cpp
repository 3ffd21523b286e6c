// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fast matrix multiplication in Python as a task.
#include "rl/tasks/Matmul.h"
#include "rl/tasks/Completion.h"

namespace maskjit::rl {

// The wording of the notebooks, without the word "fast" repeated, and in gpt-oss's message format: the completion
// begins with the header of the model's first message.
constexpr const char *kPrompt = R"(<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06

Reasoning: low

# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|><|start|>user<|message|>Create a new fast matrix multiplication function using only native Python code.
You are given a list of list of numbers.
Output your new function in backticks using the format below:
```python
def matmul(A, B):
    return ...
```<|end|><|start|>assistant)";

constexpr const char *kTripleLoop = R"(<|channel|>final<|message|>```python
def matmul(A, B):
    rows, inner, columns = len(A), len(B), len(B[0])
    C = [[0.0] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            total = 0.0
            for k in range(inner):
                total += A[i][k] * B[k][j]
            C[i][j] = total
    return C
```)";

Problem Matmul::draw(Split, uint64_t, uint64_t) const { return {kPrompt, ""}; }

std::vector<Problem> Matmul::sample(Split split, uint64_t seed, size_t count) const {
  return std::vector<Problem>(count, draw(split, seed, 0));
}

std::string Matmul::teacherAnswer(Split, uint64_t, uint64_t, double) const { return kTripleLoop; }

Grade Matmul::grade(const Judged &judged) const {
  double found = program(judged) ? 1 : 0;
  return {found, found};
}

Result<std::string> Matmul::program(const Judged &judged) const {
  if (!judged.finished)
    return Error{"the completion was cut off at max_completion_length"};
  std::optional<CodeBlock> block = answerCode(judged.completion);
  if (!block)
    return Error{"the final channel ends without a fenced block of code"};
  return block->code;
}

} // namespace maskjit::rl
