// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How repeatable the judge's speedups are, and how many programs it judges a second: bench_judge_repeat
// [--patience SECONDS] [repetitions] FILE...
#include "rl/judge/Judge.h"
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>

using namespace maskjit;
using namespace maskjit::rl;

static void measure(Language language, const std::vector<std::string> &files, int repetitions, double patience) {
  JudgeOptions options;
  options.patienceSeconds = patience;
  options.language = language;
  options.allowWeakSandbox = true;
  Result<std::unique_ptr<Judge>> judge = Judge::create(options);
  if (!judge) {
    fmt::print(stderr, "{}\n", judge.error().message);
    return;
  }
  std::vector<std::string> sources;
  for (int r = 0; r < repetitions; ++r)
    for (const std::string &file : files) {
      std::ifstream in(file);
      sources.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
  const auto start = std::chrono::steady_clock::now();
  std::vector<Judgement> judgements = (*judge)->judgeAll(sources);
  const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const MatmulShape &shape = (*judge)->options().shape;
  fmt::print("{} {}x{}x{}, {} trials, {} repetitions: {:.1f} programs a second\n", nameOf(language), shape.m, shape.n,
             shape.k, options.trials, repetitions, double(sources.size()) / spent);
  fmt::print("{:<30} {:>4} {:>9} {:>17} {:>9} {:>9}\n", "program", "ok", "speedup", "10th-90th", "range", "spread");
  for (size_t f = 0; f < files.size(); ++f) {
    std::vector<double> speedups, spreads;
    for (size_t i = f; i < judgements.size(); i += files.size())
      if (judgements[i].verdict == Verdict::Ok) {
        speedups.push_back(judgements[i].speedup);
        spreads.push_back(judgements[i].spread);
      }
    std::sort(speedups.begin(), speedups.end());
    std::sort(spreads.begin(), spreads.end());
    auto at = [](const std::vector<double> &sorted, double p) {
      return sorted.empty() ? 0 : sorted[size_t(p * double(sorted.size() - 1) + 0.5)];
    };
    double median = at(speedups, 0.5), low = at(speedups, 0.1), high = at(speedups, 0.9);
    fmt::print("{:<30} {:>4} {:>8.2f}x {:>7.2f} - {:>7.2f} {:>8.1f}% {:>8.1f}%\n",
               files[f].substr(files[f].rfind('/') + 1), speedups.size(), median, low, high,
               median > 0 ? 100 * (high - low) / 2 / median : 0, 100 * at(spreads, 0.5));
  }
}

int main(int argc, char **argv) {
  int repetitions = 20, first = 1;
  double patience = 0;
  if (argc > 2 && std::string(argv[1]) == "--patience") {
    patience = std::atof(argv[2]);
    first = 3;
  }
  if (argc > first && std::atoi(argv[first]) > 0)
    repetitions = std::atoi(argv[first++]);
  std::map<Language, std::vector<std::string>> files;
  for (int i = first; i < argc; ++i)
    if (std::optional<Language> language = languageOfFile(argv[i]))
      files[*language].push_back(argv[i]);
  for (const auto &[language, some] : files)
    measure(language, some, repetitions, patience);
  return 0;
}
