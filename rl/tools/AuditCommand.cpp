// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl audit`: what was judged in a run, filtered, and how verdicts changed over time.
#include "rl/judge/Audit.h"
#include "rl/judge/Cheats.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include <fmt/format.h>
#include <map>
#include <memory>

namespace maskjit::rl {

namespace {
struct AuditSettings {
  std::string file, verdict;
  AuditFilter filter;
  bool source = false, summary = false;
};
} // namespace

constexpr size_t kParts = 20; // rows of the summary

static void show(const AuditEntry &e, bool withSource) {
  const Judgement &j = e.judgement;
  fmt::print("{:<7} {:>2}  {:>7.2f}x  reward {:>6.2f}  {} {}x{}x{}  seed {}  {}\n", nameOf(j.verdict), j.cheat,
             j.speedup, j.reward, nameOf(e.language), e.shape.m, e.shape.n, e.shape.k, e.seed, j.evidence);
  if (withSource)
    fmt::print("{}\n", e.source);
}

static void summarize(const std::vector<AuditEntry> &entries) {
  std::vector<VerdictCounts> parts = countOverTime(entries, kParts);
  fmt::print("{:>9} {:>6} {:>6} {:>7} {:>7} {:>6} {:>6}  cheats among them\n", "programs", "ok", "wrong", "invalid",
             "timeout", "error", "cheat");
  int64_t begin = 0;
  for (const VerdictCounts &c : parts) {
    int64_t all = c.ok + c.wrong + c.invalid + c.timeout + c.error + c.cheat;
    begin += all;
    fmt::print("{:>9} {:>6} {:>6} {:>7} {:>7} {:>6} {:>6}  {}\n", begin, c.ok, c.wrong, c.invalid, c.timeout, c.error,
               c.cheat, std::string(size_t(40 * c.cheat / std::max<int64_t>(1, all)), '#'));
  }
  std::map<int, int64_t> cheats;
  for (const AuditEntry &e : entries)
    if (e.judgement.cheat)
      ++cheats[e.judgement.cheat];
  for (auto [number, count] : cheats)
    fmt::print("cheat {:>2}, {}: {}\n", number, describeCheat(number), count);
}

static void audit(AuditSettings &s) {
  if (!s.verdict.empty())
    s.filter.verdict = findVerdict(s.verdict);
  Result<std::vector<AuditEntry>> entries = readAudit(s.file, s.filter);
  if (!entries)
    throw std::runtime_error(entries.error().message);
  if (s.summary)
    return summarize(*entries);
  for (const AuditEntry &e : *entries)
    show(e, s.source);
}

void addAuditCommand(CLI::App &app, Session &) {
  CLI::App *command = app.add_subcommand("audit", "show what was judged in a run");
  auto s = std::make_shared<AuditSettings>();
  command->add_option("file", s->file, "JSONL of the judge, such as audit.jsonl of a run")
      ->required()
      ->check(CLI::ExistingFile);
  option(*command, "verdict", s->verdict, "of this verdict alone [any]")
      ->check(CLI::IsMember({"ok", "wrong", "invalid", "timeout", "error", "cheat"}));
  option(*command, "cheat", s->filter.cheat, "of this cheat alone, by its number; 0: any")
      ->check(CLI::Range(0, int(kLastCheat)));
  option(*command, "min_speedup", s->filter.minSpeedup, "at least this fast");
  option(*command, "last", s->filter.last, "so many of the last; 0: all");
  flag(*command, "source", s->source, "print the programs too");
  flag(*command, "summary", s->summary, "count verdicts over time instead");
  command->callback([s] { audit(*s); });
}

} // namespace maskjit::rl
