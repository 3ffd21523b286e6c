// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// --model, --adapter, --device, --dtype, --nf4, --dense, --embedding-on-host.
#include "model/tools/Commands.h"
#include <ATen/Context.h>
#include <CLI/CLI.hpp>

namespace maskjit {

void ModelOptions::addTo(CLI::App &command) {
  command.add_option("--model", model, "folder of the checkpoint: config.json, model.safetensors, tokenizer.json")
      ->required();
  addPlacementTo(command, "");
}

void ModelOptions::addPlacementTo(CLI::App &command, const std::string &suffix) {
  command.add_option("--adapter" + suffix, adapter, "folder of a PEFT adapter to apply");
  command.add_option("--device" + suffix, device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command
      .add_option("--dtype" + suffix, dtype,
                  "float32, or on CUDA bfloat16 or float16; default: float32 on the CPU, bfloat16 on CUDA")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  command
      .add_option(
          "--nf4" + suffix, nf4,
          "what the checkpoint does not hold in 4 bits is quantized on load: none, attention, or all (experts too)")
      ->check(CLI::IsMember({"none", "attention", "all"}))
      ->capture_default_str();
  command.add_flag("--dense" + suffix, dense, "what the checkpoint holds in 4 bits becomes plain numbers on load");
  command.add_flag("--embedding-on-host" + suffix, embeddingOnHost,
                   "with --device cuda the embedding stays in host memory, where the GPU reads a row for each token: "
                   "1.1 GiB less on the device for gpt-oss");
}

std::shared_ptr<GptOss> ModelOptions::load() const {
  const bool cuda = device == "cuda";
  if (cuda && !at::globalContext().hasCUDA())
    throw std::runtime_error("--device cuda: no CUDA device answers here; --device cpu runs without one");
  const at::Device at(cuda ? at::kCUDA : at::kCPU);
  const bool wide = dtype.empty() ? !cuda : dtype == "float32";
  const at::ScalarType type = wide ? at::kFloat : dtype == "float16" ? at::kHalf : at::kBFloat16;
  LoadOptions options;
  options.dense = dense;
  options.embeddingOnHost = embeddingOnHost;
  options.nf4Attention = nf4 != "none", options.nf4Experts = nf4 == "all";
  options.progress = progressOnTerminal("loading");
  std::shared_ptr<GptOss> loaded = GptOss::load(model, at, type, options);
  if (!adapter.empty())
    loaded->adapter = Lora::load(adapter, loaded->config(), at);
  return loaded;
}

} // namespace maskjit
