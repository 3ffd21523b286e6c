// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of experts on the command line: `maskjit compile-experts`, and what `cache build --experts` compiles.
#include "runtime/tools/ExpertsCommands.h"
#include "runtime/experts/Experts.h"
#include "runtime/tools/KernelOptions.h"
#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {
namespace {

struct Flags {
  ExpertsSpec spec{ExpertsKind::Layer, 2880, 2880, 4};
  std::string arch = "sm_90a", dtype, kind = "layer", format = "mxfp4", emit = "cuda";
};

Result<std::string> produce(const Flags &flags) {
  ExpertsSpec spec = flags.spec;
  spec.arch = flags.arch;
  spec.dtype = flags.dtype == "f16" || (flags.dtype.empty() && flags.arch == "sm_75") ? DType::F16 : DType::BF16;
  spec.kind = flags.kind == "linear"     ? ExpertsKind::Linear
              : flags.kind == "gradient" ? ExpertsKind::Gradient
                                         : ExpertsKind::Layer;
  spec.format = flags.format == "dense" ? WeightFormat::Dense
                : flags.format == "nf4" ? WeightFormat::Nf4
                                        : WeightFormat::Mxfp4;
  if (flags.emit == "attn")
    return attnIr(spec);
  if (flags.emit == "cuda") {
    Result<CudaKernel> kernel = emitCuda(spec);
    return kernel ? Result<std::string>(kernel->source) : kernel.error();
  }
  Result<KernelImagePtr> kernel =
      KernelCache::ofProcess().get(expertsRequest(spec), flags.emit == "ptx" ? ImageKind::Ptx : ImageKind::Cubin);
  if (!kernel)
    return kernel.error();
  return flags.emit == "resources" ? resourceTable(**kernel) : (*kernel)->image;
}

int compile(const Flags &flags) {
  const Result<std::string> text = produce(flags);
  if (!text) {
    fmt::print(stderr, "{}\n", text.error().message);
    return 1;
  }
  std::fwrite(text->data(), 1, text->size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

} // namespace

void addCompileExpertsCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<Flags>();
  CLI::App *command = app.add_subcommand("compile-experts", "print the IR, CUDA C++ or machine code of experts");
  command
      ->add_option("--class", flags->spec.rows,
                   "4 or 8: tokens of a single launch (sm_90a); 12: tiles of 8 tokens; more: tiles of so many")
      ->required();
  command->add_option("--hidden", flags->spec.hidden, "hidden size; of a single product: inputs")
      ->capture_default_str();
  command->add_option("--intermediate", flags->spec.intermediate, "intermediate size; of a single product: outputs")
      ->capture_default_str();
  command->add_option("--top", flags->spec.expertsPerToken, "experts a token")->capture_default_str();
  command->add_option("--kind", flags->kind, "layer, linear or gradient")
      ->check(CLI::IsMember({"layer", "linear", "gradient"}))
      ->capture_default_str();
  command->add_option("--format", flags->format, "mxfp4; nf4 or dense, 16-bit weights (class 8)")
      ->check(CLI::IsMember({"mxfp4", "nf4", "dense"}))
      ->capture_default_str();
  command->add_option("--arch", flags->arch, "sm_75, sm_80, sm_86, sm_89, sm_90a, sm_100, sm_103 or sm_120")
      ->capture_default_str();
  command->add_option("--dtype", flags->dtype, "bf16 or f16; bf16 if left out, f16 on sm_75")
      ->check(CLI::IsMember({"bf16", "f16"}));
  command->add_option("--emit", flags->emit, "attn, cuda, ptx, cubin or resources")
      ->check(CLI::IsMember({"attn", "cuda", "ptx", "cubin", "resources"}))
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return compile(*flags); }; });
}

Result<std::vector<KernelRequest>> expertsRequests(const std::string &sizes, const std::vector<std::string> &archs) {
  ExpertsSpec spec;
  if (std::sscanf(sizes.c_str(), "%dx%dx%d", &spec.hidden, &spec.intermediate, &spec.expertsPerToken) != 3)
    return Error{fmt::format("--experts takes HIDDENxINTERMEDIATExTOP, as 2880x2880x4, got '{}'", sizes)};
  std::vector<KernelRequest> requests;
  for (const std::string &arch : archs)
    for (auto [kind, inputs, outputs] : {std::tuple(ExpertsKind::Layer, spec.hidden, spec.intermediate),
                                         {ExpertsKind::Linear, spec.hidden, 2 * spec.intermediate},
                                         {ExpertsKind::Linear, spec.intermediate, spec.hidden},
                                         {ExpertsKind::Gradient, spec.hidden, 2 * spec.intermediate},
                                         {ExpertsKind::Gradient, spec.intermediate, spec.hidden}}) {
      ExpertsSpec one = spec;
      one.kind = kind, one.hidden = inputs, one.intermediate = outputs;
      one.expertsPerToken = kind == ExpertsKind::Layer ? spec.expertsPerToken : 1;
      one.arch = arch, one.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
      for (int rows : expertsRowClasses(one)) {
        one.rows = rows;
        if (Result<std::string> key = cudaKey(one); !key) // refused before anything is compiled
          return key.error();
        requests.push_back(expertsRequest(one));
      }
    }
  return requests;
}

} // namespace maskjit
