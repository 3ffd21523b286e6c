// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adapters: which weights a target names, PEFT's names and shapes of their factors, reading and writing.
#include "model/Lora.h"
#include "model/Checkpoint.h"
#include "model/JsonFields.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>

namespace maskjit {
namespace {

/// A weight that can be adapted, in one layer.
struct Target {
  const char *name;       // as Lora::find takes it
  const char *path;       // below model.layers.N.
  bool isParameter;       // named by target_parameters: an expert stack
  int64_t stack, in, out; // experts (1 for a projection), features
};

std::vector<Target> targetsOf(const Config &c) {
  const int64_t q = c.headsQ * c.headDim, kv = c.headsKv * c.headDim;
  return {{"q_proj", "self_attn.q_proj", false, 1, c.hiddenSize, q},
          {"k_proj", "self_attn.k_proj", false, 1, c.hiddenSize, kv},
          {"v_proj", "self_attn.v_proj", false, 1, c.hiddenSize, kv},
          {"o_proj", "self_attn.o_proj", false, 1, q, c.hiddenSize},
          {"experts.gate_up_proj", "mlp.experts.gate_up_proj", true, c.experts, c.hiddenSize, 2 * c.intermediateSize},
          {"experts.down_proj", "mlp.experts.down_proj", true, c.experts, c.intermediateSize, c.hiddenSize}};
}

/// PEFT's rule: a target is a whole name or its end after a dot.
bool matches(const std::string &name, const std::string &target) {
  if (target.empty() || name.size() < target.size())
    return false;
  const size_t rest = name.size() - target.size();
  return name.compare(rest, std::string::npos, target) == 0 && (rest == 0 || name[rest - 1] == '.');
}

/// The weights that the configuration adapts, a layer: indices into `targets`.
std::vector<std::vector<size_t>> select(const Config &config, const std::vector<Target> &targets,
                                        const LoraConfig &lora) {
  std::vector<std::vector<size_t>> chosen(config.layers);
  std::vector<std::pair<const std::string *, bool>> named; // target, names a parameter
  for (const std::string &target : lora.targetModules)
    named.push_back({&target, false});
  for (const std::string &target : lora.targetParameters)
    named.push_back({&target, true});
  std::vector<bool> found(named.size());
  for (int64_t layer = 0; layer < config.layers; ++layer)
    for (size_t t = 0; t < targets.size(); ++t) {
      bool adapted = false;
      for (size_t i = 0; i < named.size(); ++i)
        if (named[i].second == targets[t].isParameter &&
            matches(fmt::format("model.layers.{}.{}", layer, targets[t].path), *named[i].first))
          adapted = found[i] = true;
      if (adapted)
        chosen[layer].push_back(t);
    }
  if (named.empty())
    throw std::runtime_error("the adapter has no targets; name some in target_modules or target_parameters");
  for (size_t i = 0; i < named.size(); ++i)
    if (!found[i])
      throw std::runtime_error(fmt::format(
          "{}: '{}' matches nothing in this model; {}", named[i].second ? "target_parameters" : "target_modules",
          *named[i].first,
          named[i].second ? "its parameters are mlp.experts.gate_up_proj and mlp.experts.down_proj"
                          : "its modules are q_proj, k_proj, v_proj and o_proj (experts go into target_parameters)"));
  return chosen;
}

/// PEFT wraps an adapted parameter's module once for each parameter, so of two the first stands in base_layer.
std::string keyOf(int64_t layer, const Target &target, bool both) {
  const std::string prefix = fmt::format("base_model.model.model.layers.{}.", layer);
  if (!target.isParameter)
    return prefix + target.path;
  const bool first = both && std::string(target.name) == "experts.gate_up_proj";
  return prefix + (first ? "mlp.experts.base_layer" : "mlp.experts");
}

std::vector<std::string> textList(const JsonFields &fields, const char *name) {
  std::vector<std::string> list;
  const nlohmann::json *value = fields.find(name);
  if (!value || value->is_null())
    return list;
  if (*value == "all-linear")
    return {"q_proj", "k_proj", "v_proj", "o_proj"};
  if (!value->is_array())
    fields.fail(name, "expected a list of names, got " + value->dump());
  for (const nlohmann::json &entry : *value) {
    if (!entry.is_string())
      fields.fail(name, "expected a list of names, got " + entry.dump() + " in it");
    list.push_back(entry.get<std::string>());
  }
  return list;
}

LoraConfig readConfig(const std::string &file) {
  const JsonFields fields = JsonFields::parse(readTextFile(file), file);
  const std::string type = fields.text("peft_type", "");
  if (type != "LORA")
    fields.fail("peft_type", "expected \"LORA\", got \"" + type + "\"");
  for (const char *name : {"use_dora", "use_rslora", "fan_in_fan_out", "lora_bias", "use_qalora"})
    if (fields.boolean(name, false))
      fields.fail(name, "expected false; such adapters are not applied here");
  if (const std::string bias = fields.text("bias", "none"); bias != "none")
    fields.fail("bias", "expected \"none\", got \"" + bias + "\"");
  for (const char *name :
       {"rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform", "exclude_modules"})
    if (const nlohmann::json *value = fields.find(name); value && !value->empty())
      fields.fail(name, "expected none; one rank and alpha hold for all targets in all layers, got " + value->dump());
  LoraConfig lora;
  lora.rank = fields.integer("r", 1, 1 << 16);
  lora.alpha = fields.number("lora_alpha", 0, 1e9);
  lora.targetModules = textList(fields, "target_modules");
  lora.targetParameters = textList(fields, "target_parameters");
  return lora;
}

} // namespace

struct Lora::Impl {
  LoraConfig config;
  struct Factors {
    std::string target, key;
    LoraPair pair;
  };
  std::vector<std::vector<Factors>> layers;

  using MakePair = std::function<LoraPair(const std::string &key, std::vector<int64_t> a, std::vector<int64_t> b)>;
  static std::shared_ptr<Lora> make(const Config &model, const LoraConfig &config, at::Device device,
                                    const MakePair &pair);
};

std::shared_ptr<Lora> Lora::Impl::make(const Config &model, const LoraConfig &config, at::Device device,
                                       const MakePair &pair) {
  const std::vector<Target> targets = targetsOf(model);
  const std::vector<std::vector<size_t>> chosen = select(model, targets, config);
  auto lora = std::make_shared<Lora>();
  lora->impl = std::make_shared<Impl>();
  lora->impl->config = config;
  lora->impl->layers.resize(model.layers);
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    int parameters = 0;
    for (size_t t : chosen[layer])
      parameters += targets[t].isParameter;
    for (size_t t : chosen[layer]) {
      const Target &target = targets[t];
      const std::string key = keyOf(layer, target, parameters == 2);
      LoraPair made = pair(key, {target.stack * config.rank, target.in}, {target.out, config.rank * target.stack});
      if (!made.a.defined() || !made.b.defined())
        continue; // the file has a problem, which load reports
      made.a = made.a.to(device).requires_grad_(true);
      made.b = made.b.to(device).requires_grad_(true);
      lora->impl->layers[layer].push_back({target.name, key, made});
    }
  }
  return lora;
}

std::shared_ptr<Lora> Lora::create(const Config &model, const LoraConfig &config, at::Device device, uint64_t seed) {
  if (config.rank < 1)
    throw std::runtime_error(fmt::format("rank: expected at least 1, got {}", config.rank));
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return Impl::make(model, config, device, [&](const std::string &, std::vector<int64_t> a, std::vector<int64_t> b) {
    const double bound = 1 / std::sqrt(double(a[1])); // Kaiming-uniform with a = sqrt(5), as PEFT
    return LoraPair{at::empty(a, at::kFloat).uniform_(-bound, bound, generator), at::zeros(b, at::kFloat)};
  });
}

std::shared_ptr<Lora> Lora::load(const std::string &directory, const Config &model, at::Device device) {
  if (!std::filesystem::is_directory(directory))
    throw std::runtime_error(directory + ": no such folder; expected a PEFT adapter (adapter_config.json, "
                                         "adapter_model.safetensors)");
  const LoraConfig config = readConfig(directory + "/adapter_config.json");
  Checkpoint checkpoint = Checkpoint::openFile(directory, "adapter_model.safetensors");
  const auto read = [&](const std::string &name, const std::vector<int64_t> &shape) {
    const TensorRecord *record = checkpoint.read(name, {"F32", "BF16", "F16"}, shape);
    return record ? tensorOf(*record).to(at::kCPU, at::kFloat, false, /*copy=*/true) : at::Tensor();
  };
  auto lora =
      Impl::make(model, config, device, [&](const std::string &key, std::vector<int64_t> a, std::vector<int64_t> b) {
        return LoraPair{read(key + ".lora_A.weight", a), read(key + ".lora_B.weight", b)};
      });
  checkpoint.finish();
  return lora;
}

void Lora::save(const std::string &directory, const std::string &baseModel) const {
  std::filesystem::create_directories(directory);
  std::map<std::string, TensorRecord> records;
  std::vector<at::Tensor> held; // what the records point to
  for (auto &[name, tensor] : parameters()) {
    held.push_back(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    records[name] = recordOf(held.back());
  }
  Result<void> written = writeSafetensors(directory + "/adapter_model.safetensors", records, {{"format", "pt"}});
  if (!written)
    throw std::runtime_error(written.error().message);
  const nlohmann::ordered_json config = {{"base_model_name_or_path", baseModel},
                                         {"bias", "none"},
                                         {"fan_in_fan_out", false},
                                         {"inference_mode", true},
                                         {"lora_alpha", impl->config.alpha},
                                         {"lora_dropout", 0.0},
                                         {"peft_type", "LORA"},
                                         {"r", impl->config.rank},
                                         {"target_modules", impl->config.targetModules},
                                         {"target_parameters", impl->config.targetParameters},
                                         {"task_type", "CAUSAL_LM"},
                                         {"use_dora", false},
                                         {"use_rslora", false}};
  writeTextFile(directory + "/adapter_config.json", config.dump(2) + "\n");
}

const LoraConfig &Lora::config() const { return impl->config; }
double Lora::scaling() const { return impl->config.alpha / impl->config.rank; }

const LoraPair *Lora::find(int64_t layer, const std::string &target) const {
  for (const Impl::Factors &factors : impl->layers[layer])
    if (factors.target == target)
      return &factors.pair;
  return nullptr;
}

std::vector<std::pair<std::string, at::Tensor>> Lora::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const std::vector<Impl::Factors> &layer : impl->layers)
    for (const Impl::Factors &factors : layer) {
      all.push_back({factors.key + ".lora_A.weight", factors.pair.a});
      all.push_back({factors.key + ".lora_B.weight", factors.pair.b});
    }
  return all;
}

} // namespace maskjit
