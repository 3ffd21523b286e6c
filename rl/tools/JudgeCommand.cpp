// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl judge`: a verdict on each program in files.
#include "rl/judge/Judge.h"
#include "rl/tasks/Completion.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

namespace maskjit::rl {

namespace {
struct JudgeSettings {
  std::string task = "matmul", language;
  std::vector<std::string> files, without;
  std::vector<int> shape;
  bool json = false, completion = false;
  JudgeOptions options;
};

/// One file, or what it holds instead of a program.
struct Submission {
  std::string file, source;
  Language language = Language::C;
  Judgement judgement;
  bool isProgram = false;
};
} // namespace

static std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

static Submission submissionOf(const JudgeSettings &s, const std::string &path) {
  Submission submission{path, readFile(path)};
  std::optional<Language> language = s.language.empty() ? languageOfFile(path) : findLanguage(s.language);
  if (!language)
    throw std::runtime_error(path + ": expected .py, .c or .cu; name its language with --language");
  submission.language = *language;
  submission.isProgram = true;
  if (s.completion) {
    std::optional<CodeBlock> block = answerCode(submission.source);
    submission.isProgram = block.has_value();
    submission.source = block ? block->code : "";
    submission.judgement.verdict = Verdict::Invalid;
    submission.judgement.evidence = "the final channel of the completion has no fenced block";
    submission.judgement.reward = s.options.rewards.of(Verdict::Invalid, 1);
  }
  return submission;
}

static void judgeLanguage(const JudgeOptions &common, Language language, const std::vector<Submission *> &submissions) {
  JudgeOptions options = common;
  options.language = language;
  Result<std::unique_ptr<Judge>> judge = Judge::create(options);
  if (!judge)
    throw std::runtime_error(judge.error().message);
  std::vector<std::string> sources;
  for (const Submission *s : submissions)
    sources.push_back(s->source);
  std::vector<Judgement> judgements = (*judge)->judgeAll(sources);
  for (size_t i = 0; i < submissions.size(); ++i)
    submissions[i]->judgement = judgements[i];
}

static void print(const Submission &s, bool json) {
  const Judgement &j = s.judgement;
  if (!json) {
    fmt::print("{}: {}{}{}\n  {}\n", s.file, nameOf(j.verdict), j.cheat ? fmt::format(" {}", j.cheat) : "",
               j.verdict == Verdict::Ok ? fmt::format(", {:.2f}x, reward {:.2f}", j.speedup, j.reward)
                                        : fmt::format(", reward {:.2f}", j.reward),
               j.evidence);
    return;
  }
  nlohmann::ordered_json line{{"file", s.file},         {"verdict", nameOf(j.verdict)},
                              {"speedup", j.speedup},   {"reward", j.reward},
                              {"evidence", j.evidence}, {"cheat", j.cheat},
                              {"spread", j.spread},     {"gain", j.gain}};
  fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

static void judgeFiles(JudgeSettings &s) {
  if (s.task != "matmul")
    throw std::runtime_error(fmt::format("unknown task '{}'; programs are judged for: matmul", s.task));
  if (!s.shape.empty())
    s.options.shape = {s.shape.front(), s.shape[s.shape.size() == 3 ? 1 : 0], s.shape.back()};
  for (const std::string &name : s.without)
    for (const auto &[known, member] : counterMeasureNames())
      if (known == name)
        s.options.counterMeasures.*member = false;
  std::vector<Submission> submissions;
  for (const std::string &file : s.files)
    submissions.push_back(submissionOf(s, file));
  std::map<Language, std::vector<Submission *>> byLanguage;
  for (Submission &submission : submissions)
    if (submission.isProgram)
      byLanguage[submission.language].push_back(&submission);
  for (const auto &[language, some] : byLanguage)
    judgeLanguage(s.options, language, some);
  for (const Submission &submission : submissions)
    print(submission, s.json);
}

static void addRewardOptions(CLI::App &command, VerdictRewards &r) {
  option(command, "reward_cheat", r.cheat, "what a cheat earns: less than any other");
  option(command, "reward_error", r.error, "what a program that fails earns");
  option(command, "reward_invalid", r.invalid, "what a text that is no program earns");
  option(command, "reward_timeout", r.timeout, "what a program without an answer in time earns");
  option(command, "reward_wrong", r.wrong, "what a wrong product earns: more than an error");
  option(command, "reward_ok", r.ok, "what any right program earns");
  option(command, "reward_per_doubling", r.perDoubling, "added for each doubling of speed");
}

void addJudgeCommand(CLI::App &app, Session &) {
  CLI::App *command = app.add_subcommand("judge", "judge programs: right, how fast, and honest or not");
  auto s = std::make_shared<JudgeSettings>();
  auto config = std::make_shared<std::string>();
  command->add_option("files", s->files, "programs that define matmul")->required()->check(CLI::ExistingFile);
  option(*command, "task", s->task, "matmul");
  option(*command, "language", s->language, "python, c or cuda [of the file's ending]")
      ->check(CLI::IsMember({"python", "c", "cuda"}));
  option(*command, "shape", s->shape, "M N K, or one number for all [256 for C, 64 for Python, 1024 for CUDA]")
      ->expected(1, 3);
  option(*command, "patience", s->options.patienceSeconds,
         "seconds a program may wait for a quiet core and repeat disturbed trials");
  option(*command, "trials", s->options.trials, "timed calls, each with inputs of its own");
  option(*command, "seed", s->options.seed, "of the inputs; 0: one that nobody can know");
  option(*command, "timeout", s->options.timeoutSeconds, "seconds for each step: start, compile, one call");
  option(*command, "cpus", s->options.cpus, "cores to judge on, one program each [all]")->delimiter(',');
  option(*command, "audit", s->options.auditFile, "file to append a line to for each program");
  flag(*command, "completion", s->completion,
       "files are completions: judge the last fenced block of the final channel");
  flag(*command, "json", s->json, "print one JSON object a file");
  flag(*command, "allow_weak_sandbox", s->options.allowWeakSandbox,
       "go on where this machine offers less than the sandbox's minimum");
  std::vector<std::string> names;
  for (const auto &[name, member] : counterMeasureNames())
    names.push_back(name);
  option(*command, "without", s->without, "counter-measures to switch off, for research")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  addRewardOptions(*command, s->options.rewards);
  addConfigOption(*command, *config);
  command->callback([=] {
    applyConfig(*command, *config);
    judgeFiles(*s);
  });
}

} // namespace maskjit::rl
