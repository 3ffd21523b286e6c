// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Trials: fresh inputs, reference and program in turn, every result compared.
#include "rl/judge/Lane.h"
#include "rl/judge/Diagnosis.h"
#include "rl/judge/Reference.h"
#include "rl/judge/Speed.h"
#include "rl/judge/StaticFilter.h"
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <pthread.h>

namespace maskjit::rl {

constexpr double kShortestClock = 1e-9; // a worker's own clock may say anything
constexpr double kIdleSeconds = 2e-3;   // to send an answer and wait, with a page fault or two
constexpr double kParallelRatio = 1.1;

Result<std::unique_ptr<Lane>> Lane::create(const JudgeOptions &options, int cpu, const std::set<SandboxLayer> &layers) {
  std::unique_ptr<Lane> lane(new Lane(options, cpu));
  Result<std::unique_ptr<Workshop>> shop = Workshop::create(options, cpu, layers);
  if (!shop)
    return shop.error();
  lane->shop = std::move(*shop);
  if (std::string fault = lane->startReference(); !fault.empty())
    return Error{"the reference kernel: " + fault};
  return lane;
}

std::string Lane::startReference() {
  Prepared prepared =
      shop->prepareReference(options.reference.empty() ? referenceSource(options.language) : options.reference);
  if (!prepared.worker)
    return prepared.fault.evidence;
  reference = std::move(prepared.worker);
  Product product(options.shape, options.language == Language::Python ? Element::Double : Element::Float, 1);
  CallOutcome outcome = reference->call(product);
  if (outcome.fault)
    return outcome.fault->evidence;
  double error = product.worstError(outcome.result.data());
  return error <= 1 ? "" : fmt::format("its largest error is {:.3g} times the bound", error);
}

std::optional<Fault> Lane::check(const Product &product, const CallOutcome &outcome, double &error) {
  const CounterMeasures &measures = options.counterMeasures;
  if (outcome.fault)
    return outcome.fault;
  auto errorOf = [&](const Product &p) {
    return measures.tightBound ? p.worstError(outcome.result.data()) : p.worstErrorCareless(outcome.result.data());
  };
  if (!measures.ownInputs) {
    error = errorOf(product.withInputs(outcome.inputsAfter));
    if (error <= 1)
      return std::nullopt;
  } else {
    error = errorOf(product);
    if (options.language != Language::Python && outcome.inputsAfter != product.inputs())
      return Fault{Verdict::Cheat, kMutatedInputs, "the inputs were changed"};
    if (error <= 1)
      return std::nullopt;
  }
  std::vector<const Product *> earlier;
  for (const auto &p : products)
    if (p.get() != &product)
      earlier.push_back(p.get());
  return diagnose(product, outcome.result, error, earlier, products.size() > 1);
}

/// A worker that is between calls waits in a read; and on one core it cannot use more CPU time than time goes by.
static std::optional<Fault> checkIdle(const CallOutcome &outcome) {
  if (outcome.idleSeconds > kIdleSeconds)
    return Fault{Verdict::Cheat, kBackgroundWork,
                 fmt::format("the worker computed for {:.3g} s while it had no call", outcome.idleSeconds)};
  if (outcome.cpuSeconds > kParallelRatio * outcome.seconds + kIdleSeconds)
    return Fault{Verdict::Cheat, kBackgroundWork,
                 fmt::format("{:.3g} s of CPU time in a call of {:.3g} s: on more than one core", outcome.cpuSeconds,
                             outcome.seconds)};
  return std::nullopt;
}

std::optional<Fault> Lane::runTrials(Worker &worker, uint64_t seed, std::vector<Trial> &trials) {
  const CounterMeasures &measures = options.counterMeasures;
  Element element = options.language == Language::Python ? Element::Double : Element::Float;
  // A hypervisor that takes the core away for a while looks like a busy worker, but not in most trials.
  int busyTrials = 0, timedTrials = 0; // those that are repeated included
  double patience = options.patienceSeconds;
  uint64_t inputs = seed;
  for (int i = 0; i <= options.trials;) {
    bool fresh = measures.freshInputs || products.empty();
    if (fresh)
      products.push_back(std::make_unique<Product>(options.shape, element, inputs++));
    const Product &product = *products.back();
    const std::vector<double> *stale = measures.cleanOutput ? nullptr : &product.expected();
    Trial trial;
    // The first call is not timed: pages and branch predictors of a new process are cold.
    bool timed = i > 0, referenceFirst = i % 2 == 0;
    auto runReference = [&] {
      CallOutcome outcome = reference->call(product);
      trial.referenceSeconds = measures.judgesClock ? outcome.cpuSeconds : outcome.workerSeconds;
      return !outcome.fault;
    };
    if (timed) {
      ++timedTrials;
      core.await(patience);
    }
    const auto begin = std::chrono::steady_clock::now();
    if (timed && referenceFirst && !runReference())
      return Fault{Verdict::Error, 0, "the reference's worker ended; judge the program again"};
    CallOutcome outcome = worker.call(product, stale);
    trial.candidateSeconds =
        measures.judgesClock ? outcome.cpuSeconds : std::max(outcome.workerSeconds, kShortestClock);
    if (outcome.fault || measures.everyTrialVerified || !timed)
      if (std::optional<Fault> fault = check(product, outcome, trial.error))
        return fault;
    if (measures.idleWatched && timed)
      if (std::optional<Fault> fault = checkIdle(outcome);
          fault && 2 * ++busyTrials > std::max(options.trials, timedTrials))
        return fault;
    if (timed && !referenceFirst && !runReference())
      return Fault{Verdict::Error, 0, "the reference's worker ended; judge the program again"};
    if (timed && patience > 0 && !core.isQuiet()) { // it became busy meanwhile: once more
      patience -= std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (fresh)
        products.pop_back();
      continue;
    }
    if (timed)
      trials.push_back(trial);
    ++i;
  }
  return std::nullopt;
}

std::optional<Fault> Lane::checkSpeed(const std::vector<Trial> &trials) const {
  if (!options.counterMeasures.speedLimit)
    return std::nullopt;
  double limit = fastestSeconds(options.language, options.shape);
  for (const Trial &t : trials)
    if (t.candidateSeconds < limit)
      return Fault{Verdict::Cheat, options.counterMeasures.judgesClock ? kWorkBeforeClock : kPatchedClock,
                   fmt::format("{:.3g} s, which no machine of this kind can do: its limit is {:.3g} s",
                               t.candidateSeconds, limit)};
  return std::nullopt;
}

/// Keeps the calling thread on the lane's core: then exactly one of judge, reference and program runs at a time.
static void pinThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(size_t(cpu), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

Judgement Lane::judge(const std::string &source, uint64_t seed) {
  pinThread(cpu);
  products.clear();
  Judgement j;
  std::optional<Fault> fault;
  if (options.counterMeasures.staticFilter)
    fault = lookAtSource(options.language, source);
  if (!fault) {
    Prepared prepared = shop->prepare(source);
    if (prepared.worker)
      fault = runTrials(*prepared.worker, seed, j.trials);
    else
      fault = prepared.fault;
  }
  if (!fault)
    fault = checkSpeed(j.trials);
  if (fault) {
    j.verdict = fault->verdict;
    j.cheat = fault->cheat;
    j.evidence = fault->evidence;
  } else {
    Speedup speed = speedupOf(j.trials, options.counterMeasures.noiseTest);
    j.verdict = Verdict::Ok;
    j.speedup = speed.median;
    j.spread = speed.spread;
    j.gain = speed.gain;
    j.evidence = fmt::format("right in {} of {} timed calls; {:.2f}x the reference (spread {:.1f}%){}", j.trials.size(),
                             options.trials, speed.median, 100 * speed.spread,
                             speed.median > 1 && speed.gain <= 1 ? ", not told from noise" : "");
  }
  j.reward = options.rewards.of(j.verdict, j.gain);
  return j;
}

} // namespace maskjit::rl
