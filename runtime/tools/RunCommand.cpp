// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit run`: attention on the tensors of a file, to compare with any other library.
#include "runtime/attention/CudaFromHost.h"
#include "runtime/tools/Commands.h"
#include "runtime/tools/RunInputs.h"
#include "runtime/tools/TensorConversion.h"
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace maskjit {
namespace {

struct RunFlags {
  std::string mask, inputs, out, target = "cpu", dtype;
  RunOptions options;
};

Result<void> compute(const Mask &mask, RunCall &call, const std::string &target) {
  if (target == "cuda") {
    if (Result<void> forward = attentionForwardCudaFromHost(mask, call.args); !forward)
      return forward;
    return call.backward ? attentionBackwardCudaFromHost(mask, call.args) : Result<void>();
  }
  if (Result<void> forward = attentionForwardCpu(mask, call.args); !forward)
    return forward;
  return call.backward ? attentionBackwardCpu(mask, call.args) : Result<void>();
}

Result<void> run(const RunFlags &flags) {
  auto mask = Mask::find(flags.mask);
  if (!mask)
    return mask.error();
  auto file = SafetensorsFile::open(flags.inputs);
  if (!file)
    return file.error();
  auto call = readRunCall(*mask, *file, flags.options);
  if (!call)
    return Error{call.error().message + " (" + flags.inputs + ")"};
  if (!call->unread.empty())
    fmt::print(stderr, "note: {}: not read: {}\n", flags.inputs, fmt::join(call->unread, ", "));
  if (Result<void> computed = compute(*mask, *call, flags.target); !computed)
    return computed;
  return writeSafetensors(flags.out, call->results());
}

} // namespace

void addRunCommand(CLI::App &app, Action &action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App *command = app.add_subcommand("run", "compute attention on the tensors of a file");
  command->footer(
      "Reads q [B, Hq, Sq, D]; k, v [B, Hkv, Sk, D]; sinks [Hq] (optional); dout as q (--backward); and the mask's\n"
      "parameters by name: integers, one number or one a sequence; arrays [n] or [B, n]. Those left out take their\n"
      "defaults. Writes out, lse and, with --backward, dq, dk, dv and dsinks.");
  command->add_option("mask", flags->mask, "a shipped mask, PATH.mask or PATH.mask:NAME, each with {static=value}")
      ->required();
  command->add_option("--inputs", flags->inputs, "safetensors file to read")->required();
  command->add_option("--out", flags->out, "safetensors file to write")->required();
  command->add_option("--target", flags->target, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command
      ->add_option("--dtype", flags->dtype,
                   "convert q, k, v and dout first: f32, f16 or bf16 (otherwise computed as they are)")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}, CLI::ignore_case));
  command->add_option("--scale", flags->options.scale, "factor of q k^T; 1/sqrt(D) if left out");
  command->add_flag("--backward", flags->options.backward, "gradients too");
  command->callback([flags, &action] {
    action = [flags] {
      flags->options.dtype = dtypeNamed(flags->dtype);
      Result<void> done = run(*flags);
      if (!done)
        fmt::print(stderr, "{}\n", done.error().message);
      return done ? 0 : 1;
    };
  });
}

} // namespace maskjit
