// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lanes, seeds, and the audit log around them.
#include "rl/judge/Judge.h"
#include "rl/judge/Audit.h"
#include "rl/judge/Lane.h"
#include "rl/judge/Reference.h"
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <random>
#include <sched.h>
#include <thread>

namespace maskjit::rl {

constexpr int kLargestSide = 8192;
constexpr uint64_t kSeedsOfAProgram = 1 << 20; // more than a program has calls

void VerdictCounts::add(Verdict verdict) {
  int64_t *const places[] = {&ok, &wrong, &invalid, &timeout, &error, &cheat};
  ++*places[int(verdict)];
}

struct Judge::State {
  JudgeOptions options;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::unique_ptr<AuditLog> audit;
  std::mutex mutex; // of what follows
  VerdictCounts counts;
  uint64_t programs = 0;

  uint64_t nextSeed() {
    std::lock_guard<std::mutex> lock(mutex);
    return options.seed + kSeedsOfAProgram * programs++;
  }
  Judgement run(Lane &lane, const std::string &source, uint64_t seed);
};

static std::vector<int> allowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(size_t(i), &set))
        cpus.push_back(i);
  return cpus;
}

static uint64_t entropy() {
  std::random_device device;
  return uint64_t(device()) << 32 | device();
}

Judge::Judge() : state(std::make_unique<State>()) {}
Judge::~Judge() = default;

Result<std::unique_ptr<Judge>> Judge::create(JudgeOptions options) {
  if (Result<void> order = options.rewards.check(); !order)
    return order.error();
  if (options.shape.m == 0 && options.shape.n == 0 && options.shape.k == 0)
    options.shape = defaultShape(options.language);
  for (int side : {options.shape.m, options.shape.n, options.shape.k})
    if (side < 1 || side > kLargestSide)
      return Error{fmt::format("expected a shape of 1 to {} in each direction, got {}", kLargestSide, side)};
  if (options.trials < 1)
    return Error{fmt::format("expected at least 1 trial, got {}", options.trials)};
  if (options.cpus.empty())
    options.cpus = allowedCpus();
  if (options.language == Language::Cuda)
    options.cpus.resize(1); // one GPU, one program at a time
  if (options.seed == 0)
    options.seed = entropy();

  Result<SandboxReport> report = probeSandbox();
  if (!report)
    return report.error();
  if (Result<void> enough = requireSandbox(*report, options.allowWeakSandbox); !enough)
    return enough.error();

  std::unique_ptr<Judge> judge(new Judge);
  State &s = *judge->state;
  s.options = std::move(options);
  if (!s.options.auditFile.empty()) {
    Result<std::unique_ptr<AuditLog>> log = AuditLog::open(s.options.auditFile);
    if (!log)
      return log.error();
    s.audit = std::move(*log);
  }
  for (int cpu : s.options.cpus) {
    Result<std::unique_ptr<Lane>> lane = Lane::create(s.options, cpu, report->active());
    if (!lane)
      return lane.error();
    s.lanes.push_back(std::move(*lane));
  }
  return judge;
}

Judgement Judge::State::run(Lane &lane, const std::string &source, uint64_t seed) {
  Judgement judgement = lane.judge(source, seed);
  {
    std::lock_guard<std::mutex> lock(mutex);
    counts.add(judgement.verdict);
  }
  if (audit) {
    double time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    audit->write({time, options.language, options.shape, seed, judgement, source});
  }
  return judgement;
}

Judgement Judge::judge(const std::string &source) { return judgeAll({source}).front(); }

std::vector<Judgement> Judge::judgeAll(const std::vector<std::string> &sources) {
  std::vector<Judgement> judgements(sources.size());
  std::vector<uint64_t> seeds;
  for (size_t i = 0; i < sources.size(); ++i)
    seeds.push_back(state->nextSeed());
  std::atomic<size_t> next{0};
  // Threads of their own, which stay on their core: the caller's keeps its affinity.
  std::vector<std::thread> threads;
  for (size_t l = 0; l < std::min(state->lanes.size(), sources.size()); ++l)
    threads.emplace_back([&, l] {
      for (size_t i; (i = next++) < sources.size();)
        judgements[i] = state->run(*state->lanes[l], sources[i], seeds[i]);
    });
  for (std::thread &t : threads)
    t.join();
  return judgements;
}

const JudgeOptions &Judge::options() const { return state->options; }

VerdictCounts Judge::counts() const {
  std::lock_guard<std::mutex> lock(state->mutex);
  return state->counts;
}

} // namespace maskjit::rl
