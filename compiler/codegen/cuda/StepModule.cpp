// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Describes one decode step of gpt-oss, an operation after the other as the model is written down; passes fuse them.
#include "compiler/codegen/cuda/StepModule.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Threading.h"
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace mlir;
using namespace maskjit::attn;

namespace maskjit::cuda {
namespace {

constexpr int64_t kAny = ShapedType::kDynamic;
constexpr int64_t kRankSlice = 16; // what the kernels pad ranks to

class StepBuilder {
public:
  StepBuilder(const StepSpec &spec, ModuleOp module, int expertsClass)
      : spec(spec), module(module), expertsClass(expertsClass), b(module.getContext()), loc(b.getUnknownLoc()),
        half(spec.dtype == DType::F16 ? Type(b.getF16Type()) : Type(b.getBF16Type())) {}

  void build() {
    b.setInsertionPointToEnd(module.getBody());
    const SmallVector<Type> results = {lengths(), lengths(), lengths(), tensor({kAny}, b.getF32Type())};
    auto step = func::FuncOp::create(b, loc, "step", b.getFunctionType({}, results));
    b.setInsertionPointToEnd(step.addEntryBlock());
    tokens = input("tokens", {kAny}, b.getI32Type());
    written = input("written", {kAny}, b.getI32Type());
    frequencies = input("frequencies", {spec.headDim / 2}, b.getF32Type());
    auto embed = EmbedOp::create(b, loc, rows(spec.hidden, b.getF32Type()), lengths(), lengths(), tokens,
                                 input("model.embed_tokens.weight", {spec.vocabulary, spec.hidden}, half), written,
                                 input("active", {kAny}, b.getI32Type()));
    positions = embed.getPositions(), keys = embed.getLengths();
    Value x = embed.getRows();
    for (size_t layer = 0; layer < spec.layerMasks.size(); ++layer) {
      x = attention(x, layer);
      x = experts(x, layer);
    }
    Value normal = norm(x, "model.norm.weight", half);
    SampleOp drawn = sample(linear(normal, "lm_head", spec.vocabulary, spec.hidden, /*bias=*/false, b.getF32Type()));
    func::ReturnOp::create(b, loc, drawn.getResults());
  }

private:
  RankedTensorType tensor(ArrayRef<int64_t> shape, Type element) { return RankedTensorType::get(shape, element); }
  RankedTensorType rows(int64_t features, Type element) { return tensor({kAny, features}, element); }
  RankedTensorType lengths() { return tensor({kAny}, b.getI32Type()); }
  /// Inputs stand before everything else, each once, so that a fused operation finds all of its own.
  Value input(const std::string &name, ArrayRef<int64_t> shape, Type element) {
    Value &known = inputs[name];
    if (known)
      return known;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(b.getBlock());
    if (lastInput)
      b.setInsertionPointAfter(lastInput);
    lastInput = InputOp::create(b, loc, tensor(shape, element), name);
    return known = lastInput->getResult(0);
  }

  Value norm(Value x, const std::string &weight, Type element) {
    return RmsNormOp::create(b, loc, rows(spec.hidden, element), x, input(weight, {spec.hidden}, half),
                             b.getF32FloatAttr(spec.eps));
  }

  /// NAME.weight [out, in], from NF4 codes where it is held so.
  Value matrix(const std::string &name, int64_t out, int64_t in) {
    const std::string full = name + ".weight";
    const auto held = spec.nf4.find(name);
    if (held == spec.nf4.end())
      return input(full, {out, in}, half);
    constexpr int64_t kBlock = 64, kNestedBlock = 256;
    const Type f32 = b.getF32Type();
    SmallVector<Value> nested;
    if (held->second)
      nested = {input(full + ".nested_table", {kNestedBlock}, f32),
                input(full + ".nested_absmax", {(out * in / kBlock + kNestedBlock - 1) / kNestedBlock}, f32),
                input(full + ".nested_offset", {1}, f32)};
    return Nf4Op::create(b, loc, tensor({out, in}, half), input(full + ".codes", {out, in / 2}, b.getI8Type()),
                         input(full + ".table", {16}, f32),
                         input(full + ".absmax", {out, in / kBlock}, held->second ? b.getI8Type() : f32), nested);
  }

  /// NAME of each expert, without the bias.
  SmallVector<Value> nf4Stack(const std::string &name, int64_t out, int64_t in) {
    constexpr int64_t kBlock = 64, kNestedBlock = 256;
    const int64_t count = spec.experts;
    const Type f32 = b.getF32Type(), i8 = b.getI8Type();
    const auto held = spec.nf4.find(name);
    const bool nested = held != spec.nf4.end() && held->second;
    SmallVector<Value> tensors = {input(name + ".codes", {count, out, in / 2}, i8), input(name + ".table", {16}, f32),
                                  input(name + ".absmax", {count, out, in / kBlock}, nested ? i8 : f32)};
    if (nested)
      tensors.append(
          {input(name + ".nested_table", {kNestedBlock}, f32),
           input(name + ".nested_absmax", {count, (out * in / kBlock + kNestedBlock - 1) / kNestedBlock}, f32),
           input(name + ".nested_offset", {count}, f32)});
    return tensors;
  }

  Value linear(Value x, const std::string &name, int64_t out, int64_t in, bool bias, Type element,
               bool adapted = false) {
    SmallVector<Value> biases, first, second;
    Value weight = matrix(name, out, in);
    if (bias)
      biases.push_back(input(name + ".bias", {out}, half));
    if (adapted) {
      first.push_back(input(name + ".lora_A.weight", {spec.adapterRank, in}, half));
      second.push_back(input(name + ".lora_B.weight", {out, spec.adapterRank}, half));
    }
    return LinearOp::create(b, loc, TypeRange{rows(out, element)}, x, Value(), FloatAttr(), ValueRange{weight}, biases,
                            Value(), Value(), FloatAttr(), IntegerAttr(), DenseBoolArrayAttr(), Value(), Value(),
                            Value(), Value(), first, second,
                            adapted ? b.getDenseBoolArrayAttr({true}) : DenseBoolArrayAttr())
        .getOuts()[0];
  }

  StepAdapter adapterOf(size_t layer) const { return spec.adapters.empty() ? StepAdapter() : spec.adapters[layer]; }

  Value rope(Value x) {
    return RopeOp::create(b, loc, x.getType(), x, positions, frequencies, b.getF32FloatAttr(spec.ropeScale),
                          b.getI32IntegerAttr(spec.headDim));
  }

  /// x + o_proj(attention(norm(x))).
  Value attention(Value x, size_t layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer), self = prefix + "self_attn.";
    const int64_t wide = spec.headsQ * spec.headDim, narrow = spec.headsKv * spec.headDim;
    const StepAdapter adapter = adapterOf(layer);
    const Value normal = norm(x, prefix + "input_layernorm.weight", half);
    Value q = linear(normal, self + "q_proj", wide, spec.hidden, true, half, adapter.query);
    Value k = linear(normal, self + "k_proj", narrow, spec.hidden, true, half, adapter.key);
    Value v = linear(normal, self + "v_proj", narrow, spec.hidden, true, half, adapter.value);
    q = rope(q), k = rope(k);
    const auto pages = tensor({kAny, spec.headsKv, kAny, spec.headDim}, half);
    Value keyPages = input(fmt::format("cache.{}.key", layer), pages.getShape(), half);
    Value valuePages = input(fmt::format("cache.{}.value", layer), pages.getShape(), half);
    const Mask &mask = spec.masks[spec.layerMasks[layer]];
    Value table = input("page_table." + mask.name(), {kAny, kAny}, b.getI32Type());
    auto cache = AppendKvOp::create(b, loc, pages, pages, k, v, keyPages, valuePages, table, positions);

    const auto heads = tensor({kAny, spec.headsQ, 1, spec.headDim}, half);
    SmallVector<Value> params;
    for (const ParamInfo &param : mask.params())
      params.push_back(param.name == "q_offset" ? positions
                                                : input("parameters." + param.name, {kAny},
                                                        param.isFloat ? Type(b.getF32Type()) : Type(b.getI32Type())));
    auto decode =
        DecodeOp::create(b, loc, heads, tensor({kAny, spec.headsQ, 1}, b.getF32Type()),
                         FlatSymbolRefAttr::get(b.getContext(), mask.name()),
                         b.getF32FloatAttr(1 / std::sqrt(static_cast<float>(spec.headDim))),
                         ReshapeOp::create(b, loc, heads, q), cache.getNewKeyPages(), cache.getNewValuePages(), table,
                         keys, params, input(self + "sinks", {spec.headsQ}, b.getF32Type()), ScheduleAttr());
    Value attended = ReshapeOp::create(b, loc, rows(wide, half), decode.getOut());
    return AddOp::create(b, loc, x.getType(), x,
                         linear(attended, self + "o_proj", spec.hidden, wide, true, half, adapter.output));
  }

  /// x + experts(norm(x)).
  Value experts(Value x, size_t layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer), mlp = prefix + "mlp.";
    const std::string weight = prefix + "post_attention_layernorm.weight";
    const Value wide = norm(x, weight, b.getF32Type()), rounded = norm(x, weight, half);
    const int64_t top = spec.expertsPerToken, count = spec.experts, hidden = spec.hidden, inner = spec.intermediate;
    auto route = RouteOp::create(b, loc, TypeRange{rows(top, b.getI32Type()), rows(top, b.getF32Type())}, wide, Value(),
                                 FloatAttr(), input(mlp + "router.weight", {count, hidden}, half),
                                 input(mlp + "router.bias", {count}, half), positions, b.getI32IntegerAttr(top));
    auto stack = [&](const std::string &name, int64_t out, int64_t in) {
      const std::string full = mlp + "experts." + name;
      SmallVector<Value> tensors;
      if (spec.expertsFormat == WeightFormat::Dense)
        tensors = {input(full, {count, in, out}, half)};
      else if (spec.expertsFormat == WeightFormat::Nf4)
        tensors = nf4Stack(full, out, in);
      else
        tensors = {input(full + "_blocks", {count, out, in / 32, 16}, b.getI8Type()),
                   input(full + "_scales", {count, out, in / 32}, b.getI8Type())};
      tensors.push_back(input(full + "_bias", {count, out}, half));
      return tensors;
    };
    const SmallVector<Value> gateUp = stack("gate_up_proj", 2 * inner, hidden),
                             down = stack("down_proj", hidden, inner);
    auto factors = [&](bool adapted, const std::string &name, int64_t out, int64_t in) -> SmallVector<Value> {
      const std::string full = mlp + "experts." + name;
      if (!adapted)
        return {};
      return {input(full + ".lora_A.weight", {count, spec.adapterRank, in}, half),
              input(full + ".lora_B.weight", {count, out, spec.adapterRank}, half)};
    };
    const StepAdapter adapter = adapterOf(layer);
    Value y = ExpertsOp::create(b, loc, rows(hidden, b.getF32Type()), rounded, route.getExperts(), route.getScores(),
                                gateUp, down, Value(), factors(adapter.gateUp, "gate_up_proj", 2 * inner, hidden),
                                factors(adapter.down, "down_proj", hidden, inner), b.getF32FloatAttr(spec.swigluAlpha),
                                b.getF32FloatAttr(spec.swigluLimit), b.getI32IntegerAttr(expertsClass),
                                ExpertsScheduleAttr());
    return AddOp::create(b, loc, x.getType(), x, y);
  }

  SampleOp sample(Value logits) {
    Value seen;
    if (spec.penalty)
      seen = input("seen", {kAny, spec.vocabulary}, b.getI8Type());
    return SampleOp::create(b, loc, lengths(), lengths(), lengths(), tensor({kAny}, b.getF32Type()), logits, positions,
                            input("sequences", {kAny}, b.getI64Type()), tokens, written, seen);
  }

  const StepSpec &spec;
  ModuleOp module;
  const int expertsClass; // ExpertsSpec::rows
  OpBuilder b;
  Location loc;
  Type half; // of activations and weights
  std::map<std::string, Value> inputs;
  Operation *lastInput = nullptr;
  Value tokens, written, positions, keys, frequencies;
};

/// Refuses what no kernel takes, before types are made of it.
Result<void> checkSpec(const StepSpec &spec) {
  if (spec.dtype == DType::F32)
    return Error{"the kernels of a decode step compute in fp16 or bf16, got fp32"};
  const std::pair<const char *, int64_t> sizes[] = {{"hidden", spec.hidden},
                                                    {"query heads", spec.headsQ},
                                                    {"key heads", spec.headsKv},
                                                    {"head dimension", spec.headDim},
                                                    {"experts", spec.experts},
                                                    {"experts a token", spec.expertsPerToken},
                                                    {"intermediate", spec.intermediate},
                                                    {"vocabulary", spec.vocabulary},
                                                    {"slots", spec.slots}};
  for (auto [name, size] : sizes)
    if (size < 1)
      return Error{fmt::format("{} is {}, must be at least 1", name, size)};
  // Products move 8 features at a time, tiles have 16, experts' blocks 32.
  if (spec.hidden % 32 || spec.intermediate % 32 || spec.headDim % 16 || spec.vocabulary % 16)
    return Error{
        fmt::format("hidden and intermediate must be multiples of 32, head dimension and vocabulary of 16; got "
                    "{}, {}, {} and {}",
                    spec.hidden, spec.intermediate, spec.headDim, spec.vocabulary)};
  if (!spec.adapters.empty() &&
      (spec.adapters.size() != spec.layerMasks.size() || spec.adapterRank < 1 || spec.adapterRank % kRankSlice))
    return Error{
        fmt::format("an adapter has an entry for each of {} layers and a rank that is a multiple of {}, got {} "
                    "and rank {}",
                    spec.layerMasks.size(), kRankSlice, spec.adapters.size(), spec.adapterRank)};
  for (int mask : spec.layerMasks)
    if (mask < 0 || mask >= static_cast<int>(spec.masks.size()))
      return Error{fmt::format("a layer names mask {} of {}", mask, spec.masks.size())};
  return {};
}

} // namespace

Result<OwningOpRef<ModuleOp>> buildStepModule(const StepSpec &spec) {
  if (Result<void> checked = checkSpec(spec); !checked)
    return checked.error();
  const ExpertsSpec experts = expertsOf(spec);
  if (const Result<int> exists = expertsRows(experts, spec.slots, spec.experts); !exists)
    return exists.error();
  MLIRContext &context = maskContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  for (const Mask &mask : spec.masks)
    for (Operation &op : *mask.get().module.get().getBody())
      if (!SymbolTable::lookupSymbolIn(*module, cast<SymbolOpInterface>(op).getName()))
        module->push_back(op.clone());
  StepBuilder(spec, *module, experts.rows).build();
  std::string message;
  const uint64_t thread = llvm::get_threadid();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (llvm::get_threadid() != thread)
      return failure();
    message += (message.empty() ? "" : "\n") + diagnostic.str();
    return success();
  });
  if (failed(verify(*module)))
    return Error{message};
  return module;
}

Result<void> fuseStep(ModuleOp module, const StepSpec &spec) {
  PassManager passes(module.getContext());
  buildStepPipeline(passes, static_cast<int>(spec.slots));
  if (failed(passes.run(module)))
    return Error{"fusing the operations of the step failed"};
  return {};
}

} // namespace maskjit::cuda
