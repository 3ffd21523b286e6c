// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Supervised training of a small gpt-oss from scratch.
#include "rl/Sft.h"
#include "model/GptOss.h"
#include "model/Tokenizer.h"
#include "rl/Checkpoint.h"
#include "rl/Evaluate.h"
#include "rl/Rollout.h"
#include "rl/Scores.h"
#include "rl/optim/AdamW.h"
#include "rl/optim/Schedule.h"
#include "rl/tasks/ByteTokenizer.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <chrono>
#include <filesystem>
#include <stdexcept>

namespace maskjit::rl {

constexpr int64_t kAnswerRoom = 64; // tokens that an answer may take when accuracy is measured

void SftSettings::validate() const {
  auto positive = [](const char *name, double value) {
    if (!(value > 0))
      throw std::runtime_error(std::string(name) + " is " + std::to_string(value) + "; expected more than 0");
  };
  positive("hidden_size", double(hiddenSize));
  positive("num_hidden_layers", double(layers));
  positive("num_local_experts", double(experts));
  positive("intermediate_size", double(intermediateSize));
  positive("batch_size", double(batchSize));
  positive("max_steps", double(maxSteps));
  positive("logging_steps", double(loggingSteps));
  positive("eval_samples", double(evalSamples));
  if (care < 0 || care > 1)
    throw std::runtime_error("care is " + std::to_string(care) + "; expected 0 to 1");
  if (expertsPerToken < 1 || expertsPerToken > experts)
    throw std::runtime_error("num_experts_per_tok is " + std::to_string(expertsPerToken) +
                             "; expected 1 to num_local_experts = " + std::to_string(experts));
  if (headsKv < 1 || headsQ % headsKv != 0)
    throw std::runtime_error("num_attention_heads is " + std::to_string(headsQ) +
                             "; expected a multiple of num_key_value_heads = " + std::to_string(headsKv));
  if (dtype != "float32" && dtype != "bfloat16")
    throw std::runtime_error("dtype is '" + dtype + "'; use float32 or bfloat16");
  findTask(task);
  parseScheduleType(lrSchedulerType);
}

Config SftSettings::config() const {
  Config c;
  c.vocabSize = ByteTokenizer::kVocabulary;
  c.hiddenSize = hiddenSize;
  c.intermediateSize = intermediateSize;
  c.layers = layers;
  c.headsQ = headsQ;
  c.headsKv = headsKv;
  c.headDim = headDim;
  c.experts = experts;
  c.expertsPerToken = expertsPerToken;
  c.slidingWindow = slidingWindow;
  for (int64_t layer = 0; layer < layers; ++layer)
    c.sliding.push_back(layer % 2 == 0);
  c.initializerRange = initializerRange;
  c.padTokenId = ByteTokenizer::kPad;
  c.eosTokenIds = {ByteTokenizer::kStop};
  return c;
}

/// A batch of the teacher's answers as a rollout whose every completion token counts.
static Rollout teacherBatch(const SftSettings &s, const Task &task, const Tokenizer &tokenizer, int64_t step) {
  std::vector<std::vector<int64_t>> prompts, answers;
  for (int64_t i = 0; i < s.batchSize; ++i) {
    uint64_t index = uint64_t(step * s.batchSize + i);
    prompts.push_back(tokenizer.encode(task.draw(Split::Sft, s.seed, index).prompt));
    answers.push_back(tokenizer.encode(task.teacherAnswer(Split::Sft, s.seed, index, s.care)));
    answers.back().push_back(ByteTokenizer::kStop);
  }
  Rollout r;
  std::tie(r.promptIds, r.promptMask) = padRows(prompts, ByteTokenizer::kPad, true);
  std::tie(r.completionIds, r.completionMask) = padRows(answers, ByteTokenizer::kPad, false);
  r.lossMask = r.completionMask;
  r.itemsInBatch = r.completionMask.sum();
  std::map<std::string, at::Tensor> moved = r.tensors();
  for (auto &entry : moved)
    entry.second = entry.second.to(at::Device(s.device));
  return Rollout::fromTensors(moved);
}

double runSft(const SftSettings &s, const std::atomic<bool> &stop,
              const std::function<void(const SftReport &)> &report) {
  s.validate();
  std::filesystem::create_directories(s.outputDir);
  writeFileAtomically(s.outputDir + "/tokenizer.json", ByteTokenizer::json());
  auto tokenizer = Tokenizer::load(s.outputDir);
  std::unique_ptr<Task> task = findTask(s.task);
  // Learned in fp32 whatever is saved: steps at the end of the schedule are below a bfloat16's spacing.
  auto model = GptOss::random(s.config(), at::Device(s.device), at::kFloat, s.seed);
  NamedParameters parameters = model->parameters();
  for (auto &entry : parameters)
    entry.second.requires_grad_();
  AdamWOptions adam;
  adam.beta2 = 0.98; // short runs from scratch: the second moment must follow quickly
  adam.weightDecay = s.weightDecay;
  AdamW optimizer(parameters, adam);
  Schedule schedule{parseScheduleType(s.lrSchedulerType), s.learningRate, s.warmupSteps, s.maxSteps};

  EvaluateOptions evaluation;
  evaluation.samples = s.evalSamples;
  evaluation.maxNewTokens = kAnswerRoom;
  evaluation.temperature = task->evaluationTemperature();
  double accuracy = 0;
  for (int64_t step = 0; step < s.maxSteps && !stop && accuracy < s.targetAccuracy; ++step) {
    auto start = std::chrono::steady_clock::now();
    Rollout batch = teacherBatch(s, *task, *tokenizer, step);
    Scores scores = scoreCompletions(*model, batch, {}, false);
    at::Tensor loss = -scores.logps.sum() / batch.itemsInBatch;
    optimizer.zeroGradients();
    loss.backward();
    optimizer.clipGradients(s.maxGradNorm);
    optimizer.step(schedule.at(step));
    SftReport done{step + 1, s.maxSteps, loss.item().toDouble()};
    if ((step + 1) % s.loggingSteps == 0 || step + 1 == s.maxSteps)
      done.accuracy = accuracy = evaluate(*model, *tokenizer, *task, evaluation).accuracy;
    done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (report)
      report(done);
  }

  at::ScalarType saved = s.dtype == "float32" ? at::kFloat : at::kBFloat16;
  model->save(s.outputDir, saved);
  // Rounding to the saved dtype can move a few answers: measure what was written.
  auto written = GptOss::load(s.outputDir, at::Device(s.device), at::kFloat);
  return evaluate(*written, *tokenizer, *task, evaluation).accuracy;
}

} // namespace maskjit::rl
