// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The products of a step: which kernel serves one, what it is called, and what an adapter adds to it.
#include "compiler/codegen/cuda/StepEmitter.h"
#include "compiler/device/step_args.h"
#include <fmt/format.h>
#include <numeric>

using namespace mlir;
using namespace maskjit::attn;

namespace maskjit::cuda {

static constexpr int64_t kHalfBytes = 2; // of fp16 and bf16
static constexpr int64_t kFloatBytes = 4;

static int64_t allFeatures(const LinearShape &shape) {
  return std::accumulate(shape.features.begin(), shape.features.end(), int64_t(0));
}

std::string StepEmitter::declared(const std::string &alias, const LinearSchedule &schedule) {
  if (!aliases.insert(alias).second)
    return "";
  return fmt::format("using {} = {};  // {} bytes of shared memory\n", alias, schedule.type, schedule.sharedBytes);
}

/// 0: dense, 1: NF4, 2: NF4 with absmax quantized itself; all matrices of a product alike.
static Result<int> nf4FormatOf(LinearOp op) {
  std::set<int> formats;
  for (Value weight : op.getWeights()) {
    auto nf4 = weight.getDefiningOp<Nf4Op>();
    formats.insert(!nf4 ? 0 : nf4.getNested().empty() ? 1 : 2);
  }
  if (formats.size() != 1)
    return Error{"a product of matrices of which some are held in NF4 and others are not has no kernel"};
  return *formats.begin();
}

void StepEmitter::takeNf4(LinearOp op, StepLaunch &launch) {
  static const char *const nested[] = {"nested_tables", "nested_absmax", "nested_offsets"};
  for (Value weight : op.getWeights()) {
    auto nf4 = weight.getDefiningOp<Nf4Op>();
    take(launch, "tables", nf4.getTable());
    take(launch, "absmax", nf4.getAbsmax());
    for (auto [role, value] : llvm::zip(nested, nf4.getNested()))
      take(launch, role, value);
  }
}

LinearShape StepEmitter::shapeOf(LinearOp op) const {
  LinearShape shape;
  shape.in = features(op.getInput());
  for (Value weight : op.getWeights())
    shape.features.push_back(cast<RankedTensorType>(weight.getType()).getDimSize(0));
  shape.rows = spec.slots;
  shape.head = op.getPositions() ? static_cast<int>(*op.getHeadDim()) : 0;
  shape.arch = spec.arch;
  shape.dtype = spec.dtype;
  shape.norm = static_cast<bool>(op.getNorm());
  shape.adapted = !op.getLoraA().empty();
  return shape;
}

std::optional<LinearSchedule> StepEmitter::sm90ScheduleOf(LinearOp op) const {
  const Result<int> format = nf4FormatOf(op);
  return format && *format == 0 ? linearSm90Schedule(shapeOf(op)) : std::nullopt;
}

Result<StepEmitter::Product> StepEmitter::productOf(LinearOp op) const {
  Product product;
  product.shape = shapeOf(op);
  const size_t matrices = product.shape.features.size();
  if (matrices > device::kMostMatrices)
    return Error{fmt::format("a kernel multiplies at most {} matrices, got {}", device::kMostMatrices, matrices)};
  Result<int> format = nf4FormatOf(op);
  if (!format)
    return format.error();
  product.format = *format;
  const std::optional<LinearSchedule> many = sm90ScheduleOf(op);
  product.manyRows = many.has_value();
  Result<LinearSchedule> schedule = *format ? linearNf4FusedSchedule(product.shape, *format == 2)
                                    : many  ? Result<LinearSchedule>(*many)
                                            : linearSchedule(product.shape);
  if (!schedule)
    return schedule.error();
  product.schedule = *schedule;
  return product;
}

static bool isWideProduct(LinearOp op) { return !op.getKeyPages() && isWide(op.getOuts()[0]); }

/// linear_5120x2880_norm_rope_append: features of all matrices, input features, and what is fused.
static std::string nameOf(LinearOp op, const LinearShape &shape, int format) {
  static const char *const formats[] = {"", "_nf4", "_nf4_nested"};
  const char *const after = op.getResidual() ? "_add" : isWideProduct(op) ? "_wide" : "";
  return fmt::format("linear{}_{}x{}{}{}{}{}{}", formats[format], allFeatures(shape), shape.in,
                     shape.adapted ? "_lora" : "", op.getNorm() ? "_norm" : "", op.getPositions() ? "_rope" : "",
                     op.getKeyPages() ? "_append" : "", after);
}

int StepEmitter::productEntry(LinearOp op, const Product &product, const std::string &name) {
  const LinearSchedule &schedule = product.schedule;
  const LinearShape &shape = product.shape;
  static const char *const types[] = {"", "Nf4", "Nf4Nested"};
  const std::string function = product.format ? "linear_nf4_fused" : schedule.function;
  // Matrices of one size may have several kernels: an adapter decides among them too.
  const char *const family = function == "linear_few" ? "Few" : product.manyRows ? "Many" : "";
  const std::string alias = fmt::format("Linear{}{}{}x{}{}", family, types[product.format], allFeatures(shape),
                                        shape.in, shape.head ? "Heads" : "");
  const char *const norm = product.manyRows ? "" : op.getNorm() ? ", true" : ", false";
  EntryText text;
  text.argument = product.format ? "LinearNf4StepArgs" : "LinearArgs";
  text.bounds = alias + "::" + schedule.bounds + ", 1";
  text.call = fmt::format("{}<{}, {}{}, {}{}>", function, alias, type(), norm, isWideProduct(op) ? "Wide" : "Rounded",
                          shape.adapted ? ", true" : "");
  text.declarations = declared(alias, schedule);
  if (product.manyRows) {
    text.attribute = schedule.split > 1 ? fmt::format("__cluster_dims__({}, 1, 1) ", schedule.split) : "";
    text.maps = "LinearMaps";
  }
  return entry(name, schedule.threads, schedule.sharedBytes, text);
}

Result<void> StepEmitter::emit(LinearOp op, StepLaunch &launch) {
  Result<Product> product = productOf(op);
  if (!product)
    return product.error();
  const LinearShape &shape = product->shape;
  const LinearSchedule &schedule = product->schedule;
  for (int64_t each : shape.features)
    launch.sizes["tiles"].push_back(each / schedule.tileFeatures);
  launch.sizes["rows"] = {schedule.rows};
  // A router's block takes a multiprocessor: some are left to it, or it begins when blocks of this product are done.
  if (schedule.function == "linear_few" && !shape.head)
    launch.sizes["left"] = {spec.slots};
  launch.op = product->format ? StepOp::LinearNf4 : product->manyRows ? StepOp::LinearSm90 : StepOp::Linear;
  if (product->format)
    takeNf4(op, launch);
  launch.kernel = nameOf(op, shape, product->format);
  launch.entry = productEntry(op, *product, launch.kernel);
  if (product->manyRows) {
    launch.sizes["split"] = {schedule.split};
    launch.sizes["head"] = {shape.head};
    launch.sizes["in"] = {shape.in};
    if (shape.head)
      launch.values["turns"] = {turns};
  }
  if (shape.adapted && product->manyRows) {
    if (Result<void> first = emitFirstFactors(op, launch); !first)
      return first;
  } else if (shape.adapted) {
    takeAdapter(op, launch, schedule.tileFeatures);
  }
  take(launch, "input", op.getInput());
  take(launch, "norm", op.getNorm());
  take(launch, "weights", op.getWeights());
  take(launch, "biases", op.getBiases());
  take(launch, "positions", op.getPositions());
  take(launch, "frequencies", op.getFrequencies());
  take(launch, "key_pages", op.getKeyPages());
  take(launch, "value_pages", op.getValuePages());
  take(launch, "table", op.getTable());
  take(launch, "residual", op.getResidual());
  const bool appends = static_cast<bool>(op.getKeyPages());
  const size_t rows = op.getOuts().size() - (appends ? 2 : 0);
  give(launch, "outs", op.getOuts().take_front(rows));
  if (appends) {
    values.alias(op.getOuts()[rows], op.getKeyPages());
    values.alias(op.getOuts()[rows + 1], op.getValuePages());
  }
  if (op.getRotate())
    for (bool turned : op.getRotateAttr().asArrayRef())
      launch.sizes["rotate"].push_back(turned);
  launch.numbers["eps"] = op.getEps() ? op.getEps()->convertToDouble() : 0;
  launch.numbers["rope_scale"] = op.getRopeScale() ? op.getRopeScale()->convertToDouble() : 1;
  return {};
}

/// A launch of their own, before `launch`, which takes their results as more input features.
Result<void> StepEmitter::emitFirstFactors(LinearOp op, StepLaunch &launch) {
  LinearShape shape = shapeOf(op);
  const int64_t rank = cast<RankedTensorType>(op.getLoraA()[0].getType()).getDimSize(0);
  shape.features.assign(op.getLoraA().size(), rank);
  shape.head = 0;
  shape.adapted = false;
  Result<LinearSchedule> schedule = linearSchedule(shape);
  if (!schedule)
    return schedule.error();
  StepLaunch first;
  first.op = StepOp::Linear;
  const int64_t all = rank * static_cast<int64_t>(shape.features.size());
  const std::string alias = fmt::format("First{}x{}", all, shape.in);
  const std::string declarations = declared(alias, *schedule);
  first.kernel = fmt::format("first_factors_{}x{}", all, shape.in);
  first.entry = entry(first.kernel, schedule->threads, schedule->sharedBytes,
                      {"LinearArgs", alias + "::kThreads, 1",
                       fmt::format("linear_rows<{}, {}, false, Rounded>", alias, type()), declarations});
  take(first, "input", op.getInput());
  take(first, "weights", op.getLoraA());
  first.sizes["tiles"].assign(shape.features.size(), rank / schedule->tileFeatures);
  first.sizes["rows"] = {schedule->rows};
  first.numbers["eps"] = 0, first.numbers["rope_scale"] = 1;
  for (size_t i = 0; i < shape.features.size(); ++i) {
    if (i == firstResults.size())
      firstResults.push_back(values.workspace(rank * kHalfBytes));
    first.values["outs"].push_back(firstResults[i]);
  }
  program.launches.push_back(first);
  launch.values["low"] = first.values["outs"];
  take(launch, "lora_b", op.getLoraB());
  const ArrayRef<bool> adapted = *op.getAdapted();
  for (bool each : adapted)
    launch.sizes["adapted"].push_back(each);
  launch.sizes["rank"] = {rank};
  return {};
}

/// Factors, how many tiles the first ones have, and where their results go: a part of what the embedding has cleared.
void StepEmitter::takeAdapter(LinearOp op, StepLaunch &launch, int tileFeatures) {
  const int64_t rank = cast<RankedTensorType>(op.getLoraA()[0].getType()).getDimSize(0);
  take(launch, "lora_a", op.getLoraA());
  take(launch, "lora_b", op.getLoraB());
  const ArrayRef<bool> adapted = *op.getAdapted();
  for (bool each : adapted)
    launch.sizes["lora_tiles"].push_back(each ? (rank + tileFeatures - 1) / tileFeatures : 0);
  launch.sizes["rank"] = {rank};
  launch.values["low"] = {low};
  launch.sizes["low_at"] = {lowBytes};
  lowBytes += device::kMostMatrices * rank * kHalfBytes;
}

void StepEmitter::prepareProducts(Block &block, StepLaunch &embedding) {
  int64_t cleared = 0;
  block.walk([&](LinearOp op) {
    if (sm90ScheduleOf(op)) {
      if (op.getPositions() && turns < 0)
        tabulateTurns(op, embedding);
    } else if (!op.getLoraA().empty()) {
      cleared += device::kMostMatrices * kHalfBytes * cast<RankedTensorType>(op.getLoraA()[0].getType()).getDimSize(0);
    }
  });
  if (cleared > 0)
    low = values.workspace(cleared), embedding.values["cleared"] = {low};
  embedding.sizes["cleared_bytes"] = {cleared};
}

/// Cosines and sines of all layers: one set of frequencies serves them.
void StepEmitter::tabulateTurns(LinearOp op, StepLaunch &embedding) {
  const int64_t head = static_cast<int64_t>(*op.getHeadDim());
  turns = values.workspace(head * kFloatBytes);
  embedding.values["turns"] = {turns};
  take(embedding, "frequencies", op.getFrequencies());
  embedding.sizes["pairs"] = {head / 2};
  embedding.numbers["rope_scale"] = op.getRopeScale()->convertToDouble();
}

} // namespace maskjit::cuda
