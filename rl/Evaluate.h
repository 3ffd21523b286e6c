// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Accuracy on held-out problems.
#pragma once
#include "model/GptOss.h"
#include "model/Tokenizer.h"
#include "rl/tasks/Task.h"
#include <string>
#include <vector>

namespace maskjit::rl {

struct EvaluateOptions {
  int64_t samples = 500, maxNewTokens = 16, batch = 250;
  double temperature = 0; // 0: greedy
  uint64_t seed = 42;     // of the choice of problems and, above temperature 0, of the draws
};

struct Evaluation {
  double accuracy = 0, formatted = 0; // shares of the task's grades
  struct Answer {
    std::string prompt, completion, expected;
    bool correct = false;
  };
  std::vector<Answer> answers;
};

/// The same held-out problems for the same task, seed and number of samples, whatever the model.
Evaluation evaluate(const GptOss &model, const Tokenizer &tokenizer, const Task &task, const EvaluateOptions &options);

} // namespace maskjit::rl
