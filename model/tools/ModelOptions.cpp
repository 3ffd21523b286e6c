// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// --model, --adapter, --device, --dtype.
#include "model/tools/Commands.h"
#include <ATen/Context.h>
#include <CLI/CLI.hpp>

namespace maskjit {

void ModelOptions::addTo(CLI::App &command) {
  command.add_option("--model", model, "folder of the checkpoint: config.json, model.safetensors, tokenizer.json")
      ->required();
  command.add_option("--adapter", adapter, "folder of a PEFT adapter to apply");
  command.add_option("--device", device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  command.add_option("--dtype", dtype, "float32 or bfloat16; default: float32 on the CPU, bfloat16 on CUDA")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
}

std::shared_ptr<GptOss> ModelOptions::load() const {
  const bool cuda = device == "cuda";
  if (cuda && !at::globalContext().hasCUDA())
    throw std::runtime_error("--device cuda: no CUDA device answers here; --device cpu runs without one");
  const at::Device at(cuda ? at::kCUDA : at::kCPU);
  const bool wide = dtype.empty() ? !cuda : dtype == "float32";
  std::shared_ptr<GptOss> loaded = GptOss::load(model, at, wide ? at::kFloat : at::kBFloat16);
  if (!adapter.empty())
    loaded->adapter = Lora::load(adapter, loaded->config(), at);
  return loaded;
}

} // namespace maskjit
