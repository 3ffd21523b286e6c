// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit compile`: any stage of the way from a mask to machine code. Needs no GPU.
#include "runtime/cache/KernelCache.h"
#include "runtime/tools/Commands.h"
#include "runtime/tools/ExpertsCommands.h"
#include "runtime/tools/KernelOptions.h"
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>

namespace maskjit {

std::string resourceTable(const KernelImage &kernel) {
  std::string text = fmt::format("{:<40} {:>9} {:>12} {:>12} {:>7} {:>9}\n", "kernel", "registers", "spill bytes",
                                 "shared bytes", "threads", "tile");
  for (const CudaKernel::Entry &entry : kernel.entries)
    for (const KernelResources &used : kernel.resources)
      if (used.entry == entry.name)
        text += fmt::format("{:<40} {:>9} {:>12} {:>12} {:>7} {:>9}\n", entry.name, used.registers,
                            used.spillStores + used.spillLoads, used.sharedBytes + entry.sharedBytes, entry.threads,
                            entry.tileQueries ? fmt::format("{}x{}", entry.tileQueries, entry.tileKeys) : "");
  return text;
}

namespace {

struct CompileFlags {
  std::string mask, arch = "sm_90a", phase = "forward", emit = "cuda", out;
  StructureOptions structure;
};

Result<std::string> produce(const CompileFlags &flags) {
  Result<Mask> found = Mask::find(flags.mask);
  if (!found)
    return found.error();
  Result<Mask> mask = found->specialize({}); // static parameters take the values given with the name, or defaults
  if (!mask)
    return mask.error();
  const KernelSpec spec = flags.structure.spec(*phaseNamed(flags.phase), flags.arch);
  if (flags.emit == "mask" || flags.emit == "derived")
    return mask->ir(flags.emit == "derived");
  if (flags.emit == "attn")
    return attnIr(*mask, spec);
  if (flags.emit == "cuda") {
    Result<CudaKernel> kernel = emitCuda(*mask, spec);
    return kernel ? Result<std::string>(kernel->source) : kernel.error();
  }
  Result<KernelImagePtr> kernel =
      KernelCache::ofProcess().get(*mask, spec, flags.emit == "ptx" ? ImageKind::Ptx : ImageKind::Cubin);
  if (!kernel)
    return kernel.error();
  return flags.emit == "resources" ? resourceTable(**kernel) : (*kernel)->image;
}

int compile(const CompileFlags &flags) {
  Result<std::string> result = produce(flags);
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().message);
    return 1;
  }
  if (flags.out.empty()) {
    std::fwrite(result->data(), 1, result->size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  std::ofstream file(flags.out, std::ios::binary);
  file.write(result->data(), static_cast<std::streamsize>(result->size()));
  file.close();
  if (!file) {
    fmt::print(stderr, "error: cannot write {}\n", flags.out);
    return 1;
  }
  return 0;
}

} // namespace

void addCompileCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<CompileFlags>();
  CLI::App *command = app.add_subcommand("compile", "print a mask's IR, its CUDA C++ or its machine code");
  command->footer("Needs no GPU. ptx, cubin and resources need NVRTC and use the kernel cache.");
  command->add_option("mask", flags->mask, "a shipped mask, PATH.mask or PATH.mask:NAME, each with {static=value}")
      ->required();
  command->add_option("--arch", flags->arch, "sm_75, sm_80, sm_86, sm_89, sm_90a, sm_100, sm_103 or sm_120")
      ->capture_default_str();
  command->add_option("--phase", flags->phase, "forward, forward_sm90, backward_dq, backward_dkdv or decode")
      ->check(CLI::IsMember(phaseNames()))
      ->capture_default_str();
  flags->structure.addTo(*command);
  command->add_option("--emit", flags->emit, "mask, derived, attn, cuda, ptx, cubin or resources")
      ->check(CLI::IsMember({"mask", "derived", "attn", "cuda", "ptx", "cubin", "resources"}))
      ->capture_default_str();
  command->add_option("-o,--out", flags->out, "file to write; standard output if left out");
  command->callback([flags, &action] { action = [flags] { return compile(*flags); }; });
}

} // namespace maskjit
