// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of the step's operations: shapes agree, and what belongs together comes together.
#include "dialects/attn/AttnDialect.h"

using namespace mlir;
using namespace maskjit::attn;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool differ(int64_t a, int64_t b) { return a != b && a != ShapedType::kDynamic && b != ShapedType::kDynamic; }

/// Sizes of one axis of two tensors.
static LogicalResult same(Operation *op, StringRef what, Value a, int axisA, StringRef ofA, Value b, int axisB,
                          StringRef ofB) {
  const int64_t sizeA = typeOf(a).getDimSize(axisA), sizeB = typeOf(b).getDimSize(axisB);
  if (!differ(sizeA, sizeB))
    return success();
  return op->emitOpError() << what << " differs: " << ofA << " has " << sizeA << ", " << ofB << " has " << sizeB;
}

static LogicalResult known(Operation *op, StringRef what, Value value, int axis) {
  if (!typeOf(value).isDynamicDim(axis))
    return success();
  return op->emitOpError() << what << " must be known, got " << value.getType();
}

static LogicalResult positive(Operation *op, StringRef what, const llvm::APFloat &value) {
  if (value.isFinite() && !value.isNegative() && !value.isZero())
    return success();
  return op->emitOpError() << what << " must be above 0, got " << value.convertToDouble();
}

static LogicalResult verifyHeads(Operation *op, int64_t features, int64_t head, Value frequencies) {
  if (head < 2 || head % 2 || (!ShapedType::isDynamic(features) && features % head))
    return op->emitOpError() << "turns heads of an even size that divides the row, got head " << head << " and rows of "
                             << features;
  const int64_t pairs = typeOf(frequencies).getDimSize(0);
  if (differ(pairs, head / 2))
    return op->emitOpError() << "needs a frequency for each of " << head / 2 << " pairs of a head, got " << pairs;
  return success();
}

LogicalResult EmbedOp::verify() {
  if (failed(known(*this, "the number of features", getTable(), 1)) ||
      failed(same(*this, "batch", getTokens(), 0, "tokens", getWritten(), 0, "written")) ||
      failed(same(*this, "batch", getTokens(), 0, "tokens", getActive(), 0, "active")) ||
      failed(same(*this, "batch", getTokens(), 0, "tokens", getRows(), 0, "the result")))
    return failure();
  return same(*this, "number of features", getTable(), 1, "the table", getRows(), 1, "the result");
}

LogicalResult RmsNormOp::verify() {
  if (failed(positive(*this, "eps", getEps())) || failed(known(*this, "the number of features", getInput(), 1)) ||
      failed(same(*this, "number of features", getInput(), 1, "the input", getWeight(), 0, "the weight")) ||
      failed(same(*this, "batch", getInput(), 0, "the input", getOut(), 0, "the result")))
    return failure();
  return same(*this, "number of features", getInput(), 1, "the input", getOut(), 1, "the result");
}

// ---- linear ----

static LogicalResult verifyMatrices(LinearOp op) {
  const size_t matrices = op.getWeights().size(), biases = op.getBiases().size(), results = op.getOuts().size();
  if (matrices == 0)
    return op.emitOpError() << "needs at least one matrix";
  if (biases != 0 && biases != matrices)
    return op.emitOpError() << "has a bias for each matrix or none, got " << matrices << " matrices and " << biases
                            << " biases";
  if (results != matrices)
    return op.emitOpError() << "has a result for each matrix, got " << matrices << " matrices and " << results
                            << " results";
  for (size_t i = 0; i < matrices; ++i) {
    if (failed(known(op, "the number of features", op.getWeights()[i], 0)) ||
        failed(same(op, "number of input features", op.getInput(), 1, "the input", op.getWeights()[i], 1, "a matrix")))
      return failure();
    if (biases &&
        failed(same(op, "number of features", op.getWeights()[i], 0, "a matrix", op.getBiases()[i], 0, "its bias")))
      return failure();
    const bool appended = op.getKeyPages() && i + 2 >= results;
    if (appended)
      continue;
    if (!isa<RankedTensorType>(op.getOuts()[i].getType()) || typeOf(op.getOuts()[i]).getRank() != 2)
      return op.emitOpError() << "gives rows, got " << op.getOuts()[i].getType();
    if (failed(same(op, "batch", op.getInput(), 0, "the input", op.getOuts()[i], 0, "a result")) ||
        failed(same(op, "number of features", op.getWeights()[i], 0, "a matrix", op.getOuts()[i], 1, "its result")))
      return failure();
  }
  return success();
}

static LogicalResult verifyAppend(LinearOp op) {
  if (!op.getValuePages() || !op.getTable() || !op.getPositions())
    return op.emitOpError() << "appends keys and values at `rope` positions to pages of both by a table";
  const size_t results = op.getOuts().size();
  if (results < 2)
    return op.emitOpError() << "appends the last two results, got " << results;
  const Value pages[] = {op.getKeyPages(), op.getValuePages()};
  for (size_t i = 0; i < 2; ++i) {
    const Value out = op.getOuts()[results - 2 + i];
    if (out.getType() != pages[i].getType())
      return op.emitOpError() << "gives the pages that it appends to, got " << out.getType() << " for "
                              << pages[i].getType();
    const RankedTensorType type = typeOf(pages[i]);
    const int64_t features = typeOf(op.getWeights()[results - 2 + i]).getDimSize(0);
    if (!type.isDynamicDim(1) && !type.isDynamicDim(3) && type.getDimSize(1) * type.getDimSize(3) != features)
      return op.emitOpError() << "appends rows of heads x head dimension, got " << features << " features for " << type;
  }
  return success();
}

static LogicalResult verifyAdapter(LinearOp op) {
  constexpr int64_t kSlice = 16; // of a rank
  const ArrayRef<bool> adapted = *op.getAdapted();
  const size_t matrices = op.getWeights().size(), pairs = llvm::count(adapted, true);
  if (adapted.size() != matrices)
    return op.emitOpError() << "says of each matrix whether it is adapted, got " << adapted.size() << " for "
                            << matrices << " matrices";
  if (op.getLoraA().size() != pairs || op.getLoraB().size() != pairs)
    return op.emitOpError() << "has two factors for each of " << pairs << " adapted matrices, got "
                            << op.getLoraA().size() << " and " << op.getLoraB().size();
  const int64_t rank = typeOf(op.getLoraA()[0]).getDimSize(0);
  if (ShapedType::isDynamic(rank) || rank % kSlice)
    return op.emitOpError() << "has an adapter whose rank is a multiple of " << kSlice << ", got "
                            << typeOf(op.getLoraA()[0]) << "; pad it with zeros";
  size_t pair = 0;
  for (size_t i = 0; i < matrices; ++i) {
    if (!adapted[i])
      continue;
    const Value a = op.getLoraA()[pair], b = op.getLoraB()[pair++], weight = op.getWeights()[i];
    for (Value factor : {a, b})
      if (typeOf(factor).getElementType() != typeOf(weight).getElementType())
        return op.emitOpError() << "has factors of its matrices' type, got " << typeOf(factor) << " for "
                                << typeOf(weight);
    if (failed(same(op, "rank", op.getLoraA()[0], 0, "the first factor", a, 0, "a factor")) ||
        failed(same(op, "rank", a, 0, "a factor", b, 1, "its second one")) ||
        failed(same(op, "number of input features", weight, 1, "a matrix", a, 1, "its first factor")) ||
        failed(same(op, "number of features", weight, 0, "a matrix", b, 0, "its second factor")))
      return failure();
  }
  return success();
}

LogicalResult LinearOp::verify() {
  if (failed(verifyMatrices(*this)) || (getAdapted() && failed(verifyAdapter(*this))))
    return failure();
  if (bool(getNorm()) != bool(getEpsAttr()))
    return emitOpError() << "takes norm and eps together";
  if (getNorm()) {
    if (failed(positive(*this, "eps", *getEps())) ||
        failed(same(*this, "number of features", getInput(), 1, "the input", getNorm(), 0, "the norm")))
      return failure();
    if (!typeOf(getInput()).getElementType().isF32())
      return emitOpError() << "norms rows of f32, got " << getInput().getType();
    if (typeOf(getWeights()[0]).getElementType().isF16())
      return emitOpError() << "cannot norm the input of an fp16 product, which x * weight could overflow; use "
                              "attn.rms_norm";
  }
  if (getPositions()) {
    if (!getFrequencies() || !getRopeScale() || !getHeadDim() || !getRotate())
      return emitOpError() << "takes positions, frequencies, scale, head and flags of rope together";
    if (int64_t(getRotate()->size()) != int64_t(getOuts().size()))
      return emitOpError() << "says of each result whether rope turns it, got " << getRotate()->size() << " for "
                           << getOuts().size() << " results";
    for (auto [turned, weight] : llvm::zip(*getRotate(), getWeights()))
      if (turned && failed(verifyHeads(*this, typeOf(weight).getDimSize(0), *getHeadDim(), getFrequencies())))
        return failure();
  }
  if (getKeyPages() && failed(verifyAppend(*this)))
    return failure();
  if (getResidual()) {
    if (getOuts().size() != 1 || getOuts()[0].getType() != getResidual().getType())
      return emitOpError() << "adds its only result to a residual of the same type, got " << getOuts().size()
                           << " results";
  }
  return success();
}

LogicalResult Nf4Op::verify() {
  constexpr int64_t kBlock = 64, kNestedBlock = 256;
  const RankedTensorType matrix = typeOf(getMatrix()), codes = typeOf(getCodes()), absmax = typeOf(getAbsmax());
  const int64_t out = matrix.getDimSize(0), in = matrix.getDimSize(1);
  if (!matrix.hasStaticShape() || in % kBlock)
    return emitOpError() << "stands for a matrix of known size with a multiple of 64 columns, got " << matrix;
  if (codes.getShape() != ArrayRef<int64_t>({out, in / 2}) ||
      absmax.getShape() != ArrayRef<int64_t>({out, in / kBlock}))
    return emitOpError() << "has two codes a byte and an absmax for 64 of them, got " << codes << " and " << absmax
                         << " for " << matrix;
  if (typeOf(getTable()).getShape() != ArrayRef<int64_t>({16}))
    return emitOpError() << "has a table of 16 values, got " << getTable().getType();
  if (getNested().empty() != absmax.getElementType().isF32())
    return emitOpError() << "takes absmax in f32 alone or in i8 with nested tensors";
  if (getNested().empty())
    return success();
  const int64_t sizes[] = {kNestedBlock, (out * in / kBlock + kNestedBlock - 1) / kNestedBlock, 1};
  if (getNested().size() != 3)
    return emitOpError() << "takes nested table, absmax and offset, got " << getNested().size() << " tensors";
  for (auto [tensor, size] : llvm::zip(getNested(), sizes))
    if (typeOf(tensor).getDimSize(0) != size)
      return emitOpError() << "takes nested tensors of 256, " << sizes[1] << " and 1 values, got " << tensor.getType();
  return success();
}

// ---- the others ----

LogicalResult RopeOp::verify() {
  if (failed(same(*this, "batch", getInput(), 0, "the input", getPositions(), 0, "positions")))
    return failure();
  return verifyHeads(*this, typeOf(getInput()).getDimSize(1), getHead(), getFrequencies());
}

LogicalResult AppendKvOp::verify() {
  const std::pair<Value, Value> both[] = {{getKey(), getKeyPages()}, {getValue(), getValuePages()}};
  for (auto [rows, pages] : both) {
    const RankedTensorType type = typeOf(pages);
    const int64_t features = typeOf(rows).getDimSize(1);
    if (type.isDynamicDim(1) || type.isDynamicDim(3) || type.getDimSize(1) * type.getDimSize(3) != features)
      return emitOpError() << "appends rows of heads x head dimension, got " << features << " features for " << type;
    if (typeOf(rows).getElementType() != type.getElementType())
      return emitOpError() << "appends rows of the pages' element type, got " << rows.getType() << " for " << type;
  }
  if (failed(same(*this, "batch", getKey(), 0, "key", getTable(), 0, "the page table")))
    return failure();
  return same(*this, "batch", getKey(), 0, "key", getPositions(), 0, "positions");
}

LogicalResult ReshapeOp::verify() {
  auto elements = [](RankedTensorType type) {
    int64_t count = 1;
    for (int64_t size : type.getShape())
      count *= ShapedType::isDynamic(size) ? 1 : size;
    return count;
  };
  const RankedTensorType from = typeOf(getInput()), to = typeOf(getOut());
  if (from.getElementType() != to.getElementType() || from.getNumDynamicDims() != to.getNumDynamicDims() ||
      elements(from) != elements(to))
    return emitOpError() << "keeps the elements, got " << from << " and " << to;
  return success();
}

LogicalResult AddOp::verify() {
  if (failed(same(*this, "batch", getResidual(), 0, "the residual", getRows(), 0, "the rows")))
    return failure();
  return same(*this, "number of features", getResidual(), 1, "the residual", getRows(), 1, "the rows");
}

LogicalResult RouteOp::verify() {
  const int64_t experts = typeOf(getWeight()).getDimSize(0);
  if (failed(known(*this, "the number of experts", getWeight(), 0)) ||
      failed(same(*this, "number of features", getInput(), 1, "the input", getWeight(), 1, "the weight")) ||
      failed(same(*this, "number of experts", getWeight(), 0, "the weight", getBias(), 0, "the bias")))
    return failure();
  if (getTop() < 1 || getTop() > experts)
    return emitOpError() << "chooses 1 to " << experts << " experts, got " << getTop();
  for (Value result : {getExperts(), getScores()})
    if (differ(typeOf(result).getDimSize(1), getTop()))
      return emitOpError() << "chooses " << getTop() << " experts, but gives " << result.getType();
  if (bool(getNorm()) != bool(getEpsAttr()) || bool(getNorm()) != bool(getNormal()))
    return emitOpError() << "takes norm and eps and gives the normal rows together";
  return getNorm() ? positive(*this, "eps", *getEps()) : success();
}

LogicalResult SampleOp::verify() {
  if (failed(same(*this, "batch", getLogits(), 0, "logits", getPositions(), 0, "positions")) ||
      failed(same(*this, "batch", getLogits(), 0, "logits", getSequences(), 0, "sequences")) ||
      failed(same(*this, "batch", getLogits(), 0, "logits", getTokens(), 0, "tokens")))
    return failure();
  return getSeen() ? same(*this, "vocabulary", getLogits(), 1, "logits", getSeen(), 1, "seen") : success();
}
