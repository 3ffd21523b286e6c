// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Accuracy on held-out problems.
#include "rl/Evaluate.h"
#include "rl/Sampler.h"
#include <algorithm>

namespace maskjit::rl {

Evaluation evaluate(const GptOss &model, const Tokenizer &tokenizer, const Task &task, const EvaluateOptions &options) {
  // Problems do not depend on a run's seed, so that accuracies of different runs compare.
  std::vector<Problem> problems = task.sample(Split::HeldOut, options.seed, size_t(options.samples));
  GenerateOptions generation;
  generation.sampling.temperature = options.temperature;
  generation.sampling.seed = options.seed;
  generation.maxNewTokens = options.maxNewTokens;
  Evaluation out;
  for (size_t begin = 0; begin < problems.size(); begin += size_t(options.batch)) {
    size_t end = std::min(problems.size(), begin + size_t(options.batch));
    std::vector<Problem> part(problems.begin() + std::ptrdiff_t(begin), problems.begin() + std::ptrdiff_t(end));
    constexpr int64_t kAnyLength = 1 << 20; // the task's prompts are what they are
    std::vector<Completion> completions = complete(model, tokenizer, part, 1, begin, generation, kAnyLength);
    for (size_t i = 0; i < part.size(); ++i) {
      const Completion &c = completions[i];
      Judged judged{part[i].prompt, c.text, part[i].answer, c.finished};
      Grade grade = task.grade(judged);
      out.accuracy += grade.correct;
      out.formatted += grade.formatted;
      out.answers.push_back({part[i].prompt, c.text, part[i].answer, grade.correct == 1});
    }
  }
  out.accuracy /= double(problems.size());
  out.formatted /= double(problems.size());
  return out;
}

} // namespace maskjit::rl
