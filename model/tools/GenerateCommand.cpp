// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-rl generate: continues prompts, writing the text as it comes and the speed at the end.
#include "model/Decoder.h"
#include "model/Generate.h"
#include "model/JsonFields.h"
#include "model/Tokenizer.h"
#include "model/tools/Commands.h"
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>

namespace maskjit {
namespace {

struct GenerateArguments {
  ModelOptions model;
  std::vector<std::string> prompts;
  std::string promptsFile;
  GenerateOptions options;
};

/// One prompt a line; of a .jsonl file the field "prompt" of each line.
void readPrompts(const std::string &file, std::vector<std::string> &prompts) {
  std::istringstream lines(readTextFile(file));
  const bool json = file.size() > 6 && file.compare(file.size() - 6, 6, ".jsonl") == 0;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty())
      continue;
    if (json) {
      const JsonFields fields = JsonFields::parse(line, fmt::format("{}:{}", file, number));
      line = fields.text("prompt", "");
      if (line.empty())
        fields.fail("prompt", "expected a text that is not empty");
    }
    prompts.push_back(line);
  }
}

/// Writes the sequences one after the other, each as far as it has come: the first that runs is shown live.
class Stream {
public:
  Stream(const Tokenizer &tokenizer, const std::vector<std::string> &prompts, std::vector<int64_t> stops, int64_t most)
      : tokenizer(tokenizer), prompts(prompts), stops(std::move(stops)), most(most), sequences(prompts.size()) {
    begin();
  }

  void add(size_t prompt, int64_t token) {
    Sequence &sequence = sequences[prompt];
    sequence.waiting += tokenizer.decode({token}, /*skipSpecials=*/true);
    ++sequence.tokens;
    sequence.done = sequence.tokens == most || std::find(stops.begin(), stops.end(), token) != stops.end();
    while (shown < sequences.size()) {
      std::fputs(sequences[shown].waiting.c_str(), stdout);
      sequences[shown].waiting.clear();
      if (!sequences[shown].done)
        break;
      std::fputs("\n", stdout);
      ++shown;
      begin();
    }
    std::fflush(stdout);
  }

private:
  struct Sequence {
    std::string waiting;
    int64_t tokens = 0;
    bool done = false;
  };

  void begin() const {
    if (prompts.size() > 1 && shown < prompts.size())
      std::fputs(fmt::format("--- {}\n", prompts[shown]).c_str(), stdout);
  }

  const Tokenizer &tokenizer;
  const std::vector<std::string> &prompts;
  const std::vector<int64_t> stops;
  const int64_t most;
  std::vector<Sequence> sequences;
  size_t shown = 0;
};

void runGenerate(const GenerateArguments &arguments) {
  std::vector<std::string> prompts = arguments.prompts;
  if (!arguments.promptsFile.empty())
    readPrompts(arguments.promptsFile, prompts);
  if (prompts.empty())
    throw std::runtime_error("generate: there is no prompt; give --prompt TEXT or --prompts FILE");
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::load(arguments.model.model);
  const std::shared_ptr<GptOss> model = arguments.model.load();
  std::vector<std::vector<int64_t>> ids;
  size_t promptTokens = 0;
  for (const std::string &prompt : prompts) {
    ids.push_back(tokenizer->encode(prompt));
    promptTokens += ids.back().size();
  }
  Stream stream(*tokenizer, prompts, model->config().eosTokenIds, arguments.options.maxNewTokens);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Clock::time_point first = start; // when prefill and the first draw were done
  size_t tokens = 0;
  generate(*model, ids, arguments.options, [&](size_t prompt, int64_t token, float) {
    if (tokens++ == 0)
      first = Clock::now();
    stream.add(prompt, token);
    return true;
  });
  const std::chrono::duration<double> prefill = first - start, all = Clock::now() - start;
  std::fputs(fmt::format("{} tokens in {:.2f} s: {:.1f} tokens/s by {} (of it {} prompt tokens in {:.2f} s)\n", tokens,
                         all.count(), tokens / all.count(), Decoder::kind(*model, arguments.options.batchInvariant),
                         promptTokens, prefill.count())
                 .c_str(),
             stderr);
}

} // namespace

void addGenerateCommand(CLI::App &app) {
  auto arguments = std::make_shared<GenerateArguments>();
  CLI::App &command = *app.add_subcommand("generate", "continue prompts with a model");
  arguments->model.addTo(command);
  GenerateOptions &options = arguments->options;
  SamplingOptions &sampling = options.sampling;
  command.add_option("--prompt", arguments->prompts, "text to continue; special tokens in it become their ids");
  command.add_option("--prompts", arguments->promptsFile,
                     "file with a prompt a line, or .jsonl with a field \"prompt\"");
  command.add_option("--max-new-tokens", options.maxNewTokens, "tokens a sequence at most")->capture_default_str();
  command.add_option("--temperature", sampling.temperature, "0 takes the most likely token")->capture_default_str();
  command.add_option("--top-k", sampling.topK, "draw from the k most likely tokens; 0: all")->capture_default_str();
  command.add_option("--top-p", sampling.topP, "draw from the fewest tokens that reach this probability")
      ->capture_default_str();
  command.add_option("--min-p", sampling.minP, "drop tokens below this share of the most likely one's probability")
      ->capture_default_str();
  command.add_option("--repetition-penalty", sampling.repetitionPenalty, "above 1: tokens seen before become rarer")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "the same seed draws the same tokens")->capture_default_str();
  command.add_option("--slots", options.slots, "sequences that run at once; the others wait for one to end")
      ->capture_default_str();
  command.add_option("--prefill-tokens", options.prefillTokens, "prompt tokens computed at once; more come in pieces")
      ->capture_default_str();
  command.add_option("--cache-tokens", options.cacheTokens, "tokens that the KV cache has room for; 0: all slots")
      ->capture_default_str();
  command.add_flag("--batch-invariant", options.batchInvariant,
                   "a sequence does not depend, bit for bit, on the others: prompts one by one, none attended "
                   "together, every step for all "
                   "--slots");
  command.add_flag("--ignore-stops", options.ignoreStops, "go on to --max-new-tokens");
  command.callback([arguments] { runGenerate(*arguments); });
}

} // namespace maskjit
