// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Audit entries to JSON and back.
#include "rl/judge/Audit.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace maskjit::rl {

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0)
    return Error{fmt::format("cannot append to the audit file {}: {}", path, std::strerror(errno))};
  return std::unique_ptr<AuditLog>(new AuditLog(descriptor));
}

AuditLog::~AuditLog() { close(descriptor); }

void AuditLog::write(const AuditEntry &e) {
  const Judgement &j = e.judgement;
  nlohmann::ordered_json line{{"time", e.time},
                              {"task", "matmul"},
                              {"language", nameOf(e.language)},
                              {"shape", {e.shape.m, e.shape.n, e.shape.k}},
                              {"seed", e.seed},
                              {"verdict", nameOf(j.verdict)},
                              {"cheat", j.cheat},
                              {"speedup", j.speedup},
                              {"spread", j.spread},
                              {"reward", j.reward},
                              {"evidence", j.evidence}};
  line["trials"] = nlohmann::json::array();
  for (const Trial &t : j.trials)
    line["trials"].push_back({t.referenceSeconds, t.candidateSeconds, t.error});
  line["source"] = e.source;
  std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::lock_guard<std::mutex> lock(mutex);
  for (size_t done = 0; done < text.size();) {
    ssize_t put = ::write(descriptor, text.data() + done, text.size() - done);
    if (put < 0 && errno != EINTR)
      return; // a full disk must not end a training run
    done += put > 0 ? size_t(put) : 0;
  }
}

static AuditEntry entryOf(const nlohmann::json &line) {
  AuditEntry e;
  e.time = line.at("time");
  std::optional<Language> language = findLanguage(line.at("language").get<std::string>());
  std::optional<Verdict> verdict = findVerdict(line.at("verdict").get<std::string>());
  if (!language || !verdict)
    throw std::invalid_argument("its language or verdict is unknown");
  e.language = *language;
  e.shape = {line.at("shape").at(0), line.at("shape").at(1), line.at("shape").at(2)};
  e.seed = line.at("seed");
  Judgement &j = e.judgement;
  j.verdict = *verdict;
  j.cheat = line.at("cheat");
  j.speedup = line.at("speedup");
  j.spread = line.at("spread");
  j.reward = line.at("reward");
  j.evidence = line.at("evidence");
  for (const auto &t : line.at("trials"))
    j.trials.push_back({t.at(0), t.at(1), t.at(2).is_number() ? t.at(2).get<double>() : 0});
  e.source = line.at("source");
  return e;
}

Result<std::vector<AuditEntry>> readAudit(const std::string &path, const AuditFilter &filter) {
  std::ifstream file(path);
  if (!file)
    return Error{fmt::format("cannot read the audit file {}: {}", path, std::strerror(errno))};
  std::vector<AuditEntry> entries;
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    try {
      AuditEntry e = entryOf(nlohmann::json::parse(text));
      const Judgement &j = e.judgement;
      if ((filter.verdict && j.verdict != *filter.verdict) || (filter.cheat && j.cheat != filter.cheat) ||
          j.speedup < filter.minSpeedup)
        continue;
      entries.push_back(std::move(e));
    } catch (const std::exception &error) {
      return Error{fmt::format("{}:{}: expected an audit entry: {}", path, number, error.what())};
    }
  }
  if (filter.last && entries.size() > filter.last)
    entries.erase(entries.begin(), entries.end() - long(filter.last));
  return entries;
}

std::vector<VerdictCounts> countOverTime(const std::vector<AuditEntry> &entries, size_t parts) {
  parts = std::min(parts, entries.size());
  std::vector<VerdictCounts> counts(parts);
  for (size_t i = 0; i < entries.size(); ++i)
    counts[i * parts / entries.size()].add(entries[i].judgement.verdict);
  return counts;
}

} // namespace maskjit::rl
