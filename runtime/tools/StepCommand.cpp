// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit step`: a decode step of gpt-oss as IR, as its kernels, as the list of its launches. Needs no GPU.
#include "compiler/Step.h"
#include "runtime/tools/Commands.h"
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace maskjit {
namespace {

struct StepFlags {
  int64_t layers = 2; // of 24, which repeat
  int64_t rank = 0;   // of an adapter on all that can have one; 0: none
  std::string dtype, emit = "cuda", nf4 = "none", experts = "mxfp4";
  StepSpec spec;
};

Result<std::string> launches(const StepSpec &spec) {
  Result<StepProgram> program = emitStep(spec);
  if (!program)
    return program.error();
  std::string text;
  auto nameOf = [&](int value) {
    const StepValue &v = program->values[value];
    return v.input.empty() ? fmt::format("memory {}", v.memory) : v.input;
  };
  for (const StepLaunch &launch : program->launches) {
    text += launch.kernel;
    for (const auto &[role, values] : launch.values) {
      text += fmt::format("\n  {}:", role);
      for (int value : values)
        text += " " + nameOf(value);
    }
    text += "\n";
  }
  return text;
}

Result<std::string> produce(StepFlags flags) {
  StepSpec &spec = flags.spec;
  spec.dtype = flags.dtype == "fp16" || (flags.dtype.empty() && spec.arch == "sm_75") ? DType::F16 : DType::BF16;
  for (const char *name : {"gpt_oss_sliding", "gpt_oss_full"}) {
    Result<Mask> mask = Mask::find(name);
    if (!mask)
      return mask.error();
    spec.masks.push_back(*mask);
  }
  for (int64_t layer = 0; layer < flags.layers; ++layer)
    spec.layerMasks.push_back(static_cast<int>(layer % 2));
  if (flags.rank > 0)
    spec.adapters.assign(flags.layers, {true, true, true, true, true, true}), spec.adapterRank = flags.rank;
  spec.expertsFormat = flags.experts == "dense" ? WeightFormat::Dense
                       : flags.experts == "nf4" ? WeightFormat::Nf4
                                                : WeightFormat::Mxfp4;
  for (int64_t layer = 0; layer < flags.layers && flags.nf4 != "none"; ++layer)
    for (const char *name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      spec.nf4[fmt::format("model.layers.{}.self_attn.{}", layer, name)] = false;
  if (flags.nf4 == "all")
    spec.nf4["lm_head"] = false;
  if (flags.emit == "attn" || flags.emit == "fused")
    return stepIr(spec, flags.emit == "fused");
  if (flags.emit == "launches")
    return launches(spec);
  Result<StepProgram> program = emitStep(spec);
  return program ? Result<std::string>(program->kernels.source) : program.error();
}

int run(const StepFlags &flags) {
  Result<std::string> result = produce(flags);
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().message);
    return 1;
  }
  std::fwrite(result->data(), 1, result->size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

} // namespace

void addStepCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<StepFlags>();
  StepSpec &spec = flags->spec;
  // gpt-oss-20b.
  spec.hidden = 2880, spec.headsQ = 64, spec.headsKv = 8, spec.headDim = 64, spec.experts = 32,
  spec.expertsPerToken = 4;
  spec.intermediate = 2880, spec.vocabulary = 201088, spec.arch = "sm_90a", spec.ropeScale = 1.3465735902799727;
  CLI::App *command = app.add_subcommand("step", "print a decode step of gpt-oss: its IR, kernels or launches");
  command->footer("Needs no GPU. Sizes are those of gpt-oss-20b unless given.");
  const std::pair<const char *, int64_t *> sizes[] = {{"--layers", &flags->layers},
                                                      {"--slots", &spec.slots},
                                                      {"--hidden", &spec.hidden},
                                                      {"--heads", &spec.headsQ},
                                                      {"--key-heads", &spec.headsKv},
                                                      {"--head-dim", &spec.headDim},
                                                      {"--experts", &spec.experts},
                                                      {"--experts-per-token", &spec.expertsPerToken},
                                                      {"--intermediate", &spec.intermediate},
                                                      {"--vocabulary", &spec.vocabulary}};
  for (auto [name, size] : sizes)
    command->add_option(name, *size)->check(CLI::Range(int64_t(1), int64_t(1) << 31))->capture_default_str();
  command->add_option("--adapter", flags->rank, "rank of a LoRA adapter, a multiple of 16; 0: none")
      ->check(CLI::Range(0, 1 << 16))
      ->capture_default_str();
  command->add_option("--arch", spec.arch, "sm_75, sm_80, sm_86, sm_89, sm_90a, sm_100, sm_103 or sm_120")
      ->capture_default_str();
  command->add_option("--dtype", flags->dtype, "bf16 or fp16; by the architecture if left out")
      ->check(CLI::IsMember({"bf16", "fp16"}));
  command->add_option("--expert-weights", flags->experts, "mxfp4, nf4, or dense: 16 bits")
      ->check(CLI::IsMember({"mxfp4", "nf4", "dense"}))
      ->capture_default_str();
  command->add_option("--nf4", flags->nf4, "what is held in NF4: none, attention, or all (the head too)")
      ->check(CLI::IsMember({"none", "attention", "all"}))
      ->capture_default_str();
  command->add_option("--emit", flags->emit, "attn, fused, cuda or launches")
      ->check(CLI::IsMember({"attn", "fused", "cuda", "launches"}))
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

} // namespace maskjit
