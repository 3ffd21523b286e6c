// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The training loop: generate, judge, learn, log, save.
#include "rl/Trainer.h"
#include "rl/Memory.h"
#include "rl/MetricsFile.h"
#include "rl/RandomStream.h"
#include "rl/Sampler.h"
#include "rl/Scores.h"
#include "rl/losses/PolicyLoss.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <stdexcept>

namespace maskjit::rl {

// Purposes of the run's random streams; any distinct numbers.
constexpr uint64_t kShuffleRewards = 101, kShuffleRows = 102, kAdapterSeed = 103, kSampleSeed = 104;

/// Fisher-Yates permutation of n that depends on the arguments alone.
static at::Tensor permutation(int64_t n, uint64_t seed, uint64_t purpose, uint64_t index) {
  at::Tensor order = at::arange(n, at::kLong);
  auto *p = order.mutable_data_ptr<int64_t>();
  RandomStream random(seed, purpose, index);
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(p[i], p[int64_t(random.below(uint64_t(i) + 1))]);
  return order;
}

at::Tensor microBatchLoss(const GptOss &model, const Rollout &rollout, const LossOptions &loss, double temperature,
                          double routerCoefficient, Metrics &metrics) {
  LogProbOptions scoring;
  scoring.temperature = temperature;
  scoring.entropyGradient = loss.entropyCoef != 0;
  Scores scores = scoreCompletions(model, rollout, scoring, routerCoefficient != 0);
  LossInputs in;
  in.logps = scores.logps;
  in.entropies = scores.entropies;
  in.mask = rollout.lossMask;
  in.advantages = rollout.advantages;
  in.oldLogps = rollout.oldLogps;
  in.refLogps = rollout.refLogps;
  in.correction = rollout.correction;
  if (rollout.correction.defined())
    in.samplingLogps = rollout.samplingLogps;
  in.itemsInBatch = rollout.itemsInBatch;
  at::Tensor value = policyLoss(in, loss, metrics);
  if (routerCoefficient != 0) {
    metrics.set("aux_loss", scores.routerLoss.detach());
    value = value + routerCoefficient * scores.routerLoss / double(loss.gradientAccumulationSteps);
  }
  // Without old log-probabilities these are of the weights that sampled: the agreement of sampler and trainer.
  if (!rollout.oldLogps.defined() && rollout.samplingLogps.defined())
    recordLogpDifference(scores.logps.detach(), rollout.samplingLogps, rollout.completionMask, metrics);
  return value;
}

Trainer::Trainer(const Settings &s, std::shared_ptr<GptOss> gptOss, std::shared_ptr<const Tokenizer> words,
                 const std::string &checkpoint, JudgeFunction judge)
    : settings(s), model(std::move(gptOss)), tokenizer(std::move(words)), judgeFunction(std::move(judge)) {
  settings.validate();
  task = findTask(settings.task);
  if (task->language() && !judgeFunction)
    throw std::runtime_error("the task '" + task->name() + "' asks for programs, so the trainer needs a judge");
  loss = settings.lossOptions();
  schedule = settings.schedule();
  routerCoefficient = settings.routerAuxLossCoef.value_or(model->config().routerAuxLossCoef);
  // The rollout stays on-policy for all of its passes only if no optimizer step falls between them.
  needsOldLogps = settings.gradientAccumulationSteps % (settings.stepsAGeneration() * settings.numIterations) != 0 ||
                  settings.rolloutCorrection != "none";
  at::Device device = model->device();
  model->adapter = checkpoint.empty()
                       ? Lora::create(model->config(), settings.lora, device, mixBits(settings.seed ^ kAdapterSeed))
                       : Lora::load(checkpoint, model->config(), device);
  optimizer.emplace(model->adapter->parameters(), settings.adam);
  std::filesystem::create_directories(settings.outputDir);
  if (checkpoint.empty())
    startMetricsFile(settings.outputDir);
  else
    restore(checkpoint);
}

std::string Trainer::routerLossNote() const {
  if (routerCoefficient == 0)
    return "router auxiliary loss: off (router_aux_loss_coef is 0)";
  return fmt::format("router auxiliary loss: on, coefficient {} ({}); router_aux_loss_coef=0 turns it off",
                     routerCoefficient, settings.routerAuxLossCoef ? "as set" : "from the model's config.json");
}

Rollout Trainer::generateRollout() {
  at::NoGradGuard noGrad;
  int64_t rows = settings.generationBatch(), each = settings.numGenerations, prompts = rows / each;
  uint64_t first = uint64_t(generations) * uint64_t(rows);
  std::vector<Problem> problems;
  for (int64_t i = 0; i < prompts; ++i)
    problems.push_back(task->draw(Split::Train, settings.seed, uint64_t(generations * prompts + i)));

  GenerateOptions options;
  options.sampling.temperature = settings.temperature;
  options.sampling.topP = settings.topP;
  options.sampling.topK = settings.topK;
  options.sampling.minP = settings.minP;
  options.sampling.repetitionPenalty = settings.repetitionPenalty;
  options.sampling.seed = mixBits(settings.seed ^ kSampleSeed);
  options.maxNewTokens = settings.maxCompletionLength;
  std::vector<Completion> completions =
      complete(*model, *tokenizer, problems, each, first, options, settings.maxPromptLength);

  std::vector<std::vector<int64_t>> promptRows, completionRows;
  for (const Completion &c : completions) {
    promptRows.push_back(c.prompt);
    completionRows.push_back(c.tokens);
  }
  int64_t pad = std::max<int64_t>(0, model->config().padTokenId);
  Rollout r;
  std::tie(r.promptIds, r.promptMask) = padRows(promptRows, pad, true);
  std::tie(r.completionIds, r.completionMask) = padRows(completionRows, pad, false);
  r.samplingLogps = at::zeros(r.completionIds.sizes(), at::kFloat);
  for (size_t i = 0; i < completions.size(); ++i)
    std::copy(completions[i].logps.begin(), completions[i].logps.end(),
              r.samplingLogps[int64_t(i)].mutable_data_ptr<float>());
  std::vector<int64_t> stops = model->config().eosTokenIds;
  stops.push_back(pad);
  at::Tensor finishedRows = terminated(r.completionIds, r.completionMask, stops);
  r.lossMask = settings.maskTruncatedCompletions ? r.completionMask * finishedRows.unsqueeze(1) : r.completionMask;
  r.itemsInBatch = r.lossMask.sum();
  tokens += (r.promptMask.sum() + r.completionMask.sum()).item<int64_t>();
  recordLengths(r.completionMask, finishedRows, metrics);

  at::Tensor earned = rewardsOf(completions, problems);
  if (settings.shuffleRewards)
    earned = earned.index_select(0, permutation(rows, settings.seed, kShuffleRewards, uint64_t(generations)));
  at::Tensor weights = at::ones({int64_t(settings.rewards.size())});
  for (size_t i = 0; i < settings.rewardWeights.size(); ++i)
    weights[int64_t(i)] = settings.rewardWeights[i];
  r.advantages = advantages(earned, weights, settings.rewards, settings.advantageOptions(), metrics);
  lastReward = metrics.last("reward");

  // Micro-batches mix groups, so that no optimizer step sees one prompt only.
  r = r.permuted(permutation(rows, settings.seed, kShuffleRows, uint64_t(generations)));
  std::map<std::string, at::Tensor> moved = r.tensors();
  for (auto &entry : moved)
    entry.second = entry.second.to(model->device());
  r = Rollout::fromTensors(moved);

  LogProbOptions scoring;
  scoring.temperature = settings.temperature;
  if (needsOldLogps) {
    r.oldLogps = completionLogps(*model, r, scoring, settings.perDeviceTrainBatchSize);
    recordLogpDifference(r.oldLogps, r.samplingLogps, r.completionMask, metrics);
  }
  if (settings.rolloutCorrection != "none")
    r.correction =
        rolloutCorrection(r.oldLogps, r.samplingLogps, r.completionMask, settings.correctionOptions(), metrics);
  if (loss.beta != 0) {
    model->adapterEnabled = false;
    r.refLogps = completionLogps(*model, r, scoring, settings.perDeviceTrainBatchSize);
    model->adapterEnabled = true;
  }
  ++generations;
  return r;
}

/// rewards [completions, functions]; where the task asks for programs these are judged first, all rewards share that.
at::Tensor Trainer::rewardsOf(const std::vector<Completion> &completions, const std::vector<Problem> &problems) {
  std::vector<Judged> judged = judgedOf(completions, problems, settings.numGenerations);
  std::vector<ProgramResult> results;
  if (task->language()) {
    results = judgePrograms(judged, *task, {}, judgeFunction);
    for (size_t i = 0; i < judged.size(); ++i) {
      judged[i].judgement = &results[i].judgement;
      judged[i].hasProgram = results[i].hasProgram;
    }
    recordVerdicts(results, metrics);
    record.add(finished, judged, results);
    if (observer)
      observer(judged, results);
  }
  return rewardTable(judged, settings.rewards);
}

/// The rollout that the next pass learns from; a new one when the last has been used up.
const Rollout &Trainer::currentRollout() {
  if (microSteps % (settings.stepsAGeneration() * settings.numIterations) == 0)
    rollout = generateRollout();
  return rollout;
}

void Trainer::optimizerStep() {
  double total = 0;
  optimizer->zeroGradients();
  for (int64_t pass = 0; pass < settings.gradientAccumulationSteps; ++pass) {
    const Rollout &current = currentRollout();
    int64_t part = microSteps % settings.stepsAGeneration();
    Rollout rows = current.slice(part * settings.perDeviceTrainBatchSize, settings.perDeviceTrainBatchSize);
    at::Tensor value = microBatchLoss(*model, rows, loss, settings.temperature, routerCoefficient, metrics);
    value.backward();
    total += value.item().toDouble();
    ++microSteps;
  }
  double rate = schedule.at(finished);
  lastLoss = total;
  metrics.set("loss", total);
  metrics.set("grad_norm", optimizer->clipGradients(settings.maxGradNorm));
  metrics.set("learning_rate", rate);
  optimizer->step(rate);
  ++finished;
}

void Trainer::evaluateNow(double step) {
  EvaluateOptions options;
  options.samples = settings.evalSamples;
  options.maxNewTokens = settings.maxCompletionLength;
  Evaluation result = evaluate(*model, *tokenizer, *task, options);
  metrics.set("eval_accuracy", result.accuracy);
  metrics.set("eval_format", result.formatted);
  evaluations.emplace_back(step, result.accuracy);
}

void Trainer::writeLine(double seconds) {
  nlohmann::json line{{"step", finished}, {"num_tokens", tokens}};
  for (const std::string &name : metrics.names())
    line[name] = metrics.mean(name);
  line["step_time"] = seconds;
  line["tokens_per_second"] = seconds > 0 ? double(tokens - tokensAtLastLine) / seconds : 0;
  line["peak_memory_bytes"] = peakMemory(model->device());
  appendMetricsLine(settings.outputDir, line);
  metrics.clear();
  tokensAtLastLine = tokens;
}

bool Trainer::run(const std::atomic<bool> &stop, const std::function<void(const StepReport &)> &report) {
  if (finished == 0 && settings.evalSteps > 0)
    evaluateNow(0);
  int64_t saved = -1;
  while (finished < settings.maxSteps && !stop) {
    auto start = std::chrono::steady_clock::now();
    optimizerStep();
    rewards.emplace_back(double(finished), lastReward);
    if (settings.evalSteps > 0 && (finished % settings.evalSteps == 0 || finished == settings.maxSteps))
      evaluateNow(double(finished));
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    secondsSinceLine += seconds;
    if (finished % settings.loggingSteps == 0 || finished == settings.maxSteps) {
      writeLine(secondsSinceLine);
      secondsSinceLine = 0;
    }
    if (report)
      report({finished, settings.maxSteps, seconds, lastReward, lastLoss, record.empty() ? 0 : record.lastMedian()});
    if (settings.saveSteps > 0 && finished % settings.saveSteps == 0) {
      save();
      saved = finished;
    }
  }
  if (saved != finished)
    save();
  model->adapter->save(settings.outputDir, settings.model);
  return finished >= settings.maxSteps;
}

void Trainer::save() {
  TrainerState state;
  state.json = {{"step", finished},
                {"micro_steps", microSteps},
                {"generations", generations},
                {"num_tokens", tokens},
                {"num_tokens_at_last_line", tokensAtLastLine},
                {"seconds_since_line", secondsSinceLine},
                {"optimizer_steps", optimizer->steps()},
                {"open_metrics", metrics.all()},
                {"last_reward", lastReward},
                {"reward_curve", rewards},
                {"evaluation_curve", evaluations},
                {"programs", record.json()},
                {"settings", settings.identity()}};
  state.tensors = optimizer->state();
  // Passes left in the generation batch: they must see the same completions after a resume.
  if (microSteps % (settings.stepsAGeneration() * settings.numIterations) != 0)
    for (const auto &[name, tensor] : rollout.tensors())
      state.tensors["rollout." + name] = tensor;
  saveCheckpoint(settings.outputDir, finished, *model->adapter, settings.model, state);
}

void Trainer::restore(const std::string &checkpoint) {
  TrainerState state = loadTrainerState(checkpoint, model->device());
  const nlohmann::json &j = state.json;
  try {
    requireSameSettings(j.at("settings"), settings.identity(), checkpoint);
    finished = j.at("step");
    microSteps = j.at("micro_steps");
    generations = j.at("generations");
    tokens = j.at("num_tokens");
    tokensAtLastLine = j.at("num_tokens_at_last_line");
    secondsSinceLine = j.at("seconds_since_line");
    std::map<std::string, std::vector<double>> open;
    for (const auto &[name, values] : j.at("open_metrics").items())
      for (const nlohmann::json &value : values) // JSON has no NaN: it was written as null
        open[name].push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
    metrics.restore(std::move(open));
    lastReward = j.at("last_reward");
    rewards = j.at("reward_curve").get<std::vector<std::pair<double, double>>>();
    evaluations = j.at("evaluation_curve").get<std::vector<std::pair<double, double>>>();
    if (task->language())
      record.restore(j.at("programs"));
    optimizer->restore(state.tensors, j.at("optimizer_steps"));
  } catch (const nlohmann::json::exception &e) {
    throw std::runtime_error(checkpoint + "/trainer_state.json: " + e.what() + "; resume from another checkpoint");
  }
  std::map<std::string, at::Tensor> saved;
  for (const auto &[name, tensor] : state.tensors)
    if (name.rfind("rollout.", 0) == 0)
      saved[name.substr(8)] = tensor;
  if (!saved.empty())
    rollout = Rollout::fromTensors(saved);
  cutMetricsFile(settings.outputDir, finished);
}

} // namespace maskjit::rl
