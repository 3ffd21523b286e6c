// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shapes of attn.experts: every size that its matrices, biases and rows share is the same, and both matrices are held
// in one format.
#include "dialects/attn/AttnDialect.h"

using namespace mlir;
using namespace maskjit::attn;

namespace {
/// One size that several operands share; unknown ones take part in nothing.
struct Size {
  Operation *op;
  StringRef name;
  int64_t value;
  LogicalResult is(StringRef operand, int64_t other) const {
    if (value == other || ShapedType::isDynamic(value) || ShapedType::isDynamic(other))
      return success();
    return op->emitOpError() << name << " is " << value << ", but " << operand << " has " << other;
  }
};

/// Sizes of a matrix an expert, whatever it is held in.
struct MatrixSizes {
  Size experts, rows, columns;
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult verifyBias(Operation *op, StringRef name, RankedTensorType bias, Type element, const MatrixSizes &sizes) {
  if (bias.getRank() != 2 || bias.getElementType() != element)
    return op->emitOpError() << name << " has a bias [experts, rows] of the input's type, got " << bias;
  if (failed(sizes.experts.is(name, bias.getDimSize(0))))
    return failure();
  return sizes.rows.is(name, bias.getDimSize(1));
}

/// Blocks [experts, rows, columns / 32, 16] and scales [experts, rows, columns / 32].
LogicalResult verifyMxfp4(Operation *op, StringRef name, RankedTensorType blocks, RankedTensorType scales,
                          const MatrixSizes &sizes) {
  if (blocks.getRank() != 4 || scales.getRank() != 3 || !blocks.getElementType().isInteger(8) ||
      !scales.getElementType().isInteger(8))
    return op->emitOpError() << name << " in MXFP4 is blocks [experts, rows, columns / 32, 16] and scales [experts, "
                             << "rows, columns / 32] of i8, got " << blocks << " and " << scales;
  if (blocks.getDimSize(3) != 16)
    return op->emitOpError() << name << " has blocks of " << blocks.getDimSize(3) << " bytes; MXFP4 has 16";
  const int64_t packed = blocks.getDimSize(2);
  for (RankedTensorType type : {blocks, scales})
    if (failed(sizes.experts.is(name, type.getDimSize(0))) || failed(sizes.rows.is(name, type.getDimSize(1))))
      return failure();
  if (failed(sizes.columns.is(name, ShapedType::isDynamic(packed) ? packed : packed * 32)))
    return failure();
  return Size{op, "number of blocks a row", packed}.is(name, scales.getDimSize(2));
}

/// Weights [experts, columns, rows].
LogicalResult verifyDense(Operation *op, StringRef name, RankedTensorType weights, Type element,
                          const MatrixSizes &sizes) {
  if (weights.getRank() != 3 || weights.getElementType() != element)
    return op->emitOpError() << name << " has weights [experts, columns, rows] of the input's type, got " << weights;
  if (failed(sizes.experts.is(name, weights.getDimSize(0))) || failed(sizes.columns.is(name, weights.getDimSize(1))))
    return failure();
  return sizes.rows.is(name, weights.getDimSize(2));
}

/// Codes [experts, rows, columns / 2], table, absmax [experts, rows, columns / 64], perhaps nested; the bias is the
/// last.
LogicalResult verifyNf4(Operation *op, StringRef name, OperandRange tensors, const MatrixSizes &sizes) {
  constexpr int64_t kBlock = 64, kNestedBlock = 256;
  const RankedTensorType codes = typeOf(tensors[0]), table = typeOf(tensors[1]), absmax = typeOf(tensors[2]);
  const bool nested = tensors.size() == 7;
  if (codes.getRank() != 3 || absmax.getRank() != 3 || !codes.getElementType().isInteger(8) ||
      (nested ? !absmax.getElementType().isInteger(8) : !absmax.getElementType().isF32()))
    return op->emitOpError() << name
                             << " in NF4 is codes [experts, rows, columns / 2] of i8 and absmax [experts, rows, "
                             << "columns / 64] of f32, of i8 with nested tensors; got " << codes << " and " << absmax;
  if (table.getShape() != ArrayRef<int64_t>({16}) || !table.getElementType().isF32())
    return op->emitOpError() << name << " has a table of 16 values of f32, got " << table;
  for (RankedTensorType type : {codes, absmax})
    if (failed(sizes.experts.is(name, type.getDimSize(0))) || failed(sizes.rows.is(name, type.getDimSize(1))))
      return failure();
  for (auto [type, each] : {std::pair(codes, int64_t(2)), std::pair(absmax, kBlock)})
    if (failed(sizes.columns.is(name, type.isDynamicDim(2) ? type.getDimSize(2) : type.getDimSize(2) * each)))
      return failure();
  if (!nested)
    return success();
  const int64_t blocks = sizes.rows.value * sizes.columns.value / kBlock,
                many = (blocks + kNestedBlock - 1) / kNestedBlock;
  const RankedTensorType nestedTable = typeOf(tensors[3]), nestedAbsmax = typeOf(tensors[4]),
                         offset = typeOf(tensors[5]);
  if (nestedTable.getShape() != ArrayRef<int64_t>({kNestedBlock}) || nestedAbsmax.getRank() != 2 ||
      nestedAbsmax.getDimSize(1) != many || offset.getRank() != 1)
    return op->emitOpError() << name << " takes nested tensors [256], [experts, " << many << "] and [experts], got "
                             << nestedTable << ", " << nestedAbsmax << " and " << offset;
  return success();
}

/// The factors of an adapter of one matrix an expert; none pass.
LogicalResult verifyFactors(Operation *op, StringRef name, OperandRange factors, Type element,
                            const MatrixSizes &sizes) {
  if (factors.empty())
    return success();
  if (factors.size() != 2)
    return op->emitOpError() << name << " takes both factors together, got " << factors.size();
  const RankedTensorType a = typeOf(factors[0]), b = typeOf(factors[1]);
  for (RankedTensorType type : {a, b})
    if (type.getElementType() != element)
      return op->emitOpError() << name << " has factors of the input's type, got " << type;
  const int64_t rank = a.getDimSize(1);
  if (ShapedType::isDynamic(rank) || rank % 16)
    return op->emitOpError() << name << " has a rank that is a multiple of 16, got " << a << "; pad it with zeros";
  for (RankedTensorType type : {a, b})
    if (failed(sizes.experts.is(name, type.getDimSize(0))))
      return failure();
  if (failed(sizes.columns.is(name, a.getDimSize(2))) || failed(sizes.rows.is(name, b.getDimSize(1))))
    return failure();
  return Size{op, "rank", rank}.is("the second factor", b.getDimSize(2));
}
} // namespace

int64_t ExpertsOp::intermediate() {
  const RankedTensorType down = typeOf(getDown()[0]);
  if (dense())
    return down.getRank() == 3 ? down.getDimSize(1) : -1;
  if (nf4())
    return down.getRank() != 3 ? -1 : down.isDynamicDim(2) ? ShapedType::kDynamic : down.getDimSize(2) * 2;
  return down.getRank() != 4 ? -1 : down.isDynamicDim(2) ? ShapedType::kDynamic : down.getDimSize(2) * 32;
}

LogicalResult ExpertsOp::verify() {
  for (OperandRange matrix : {getGateUp(), getDown()})
    if (matrix.size() != getGateUp().size() || !(dense() || nf4() || matrix.size() == 3))
      return emitOpError()
             << "has both matrices as blocks, scales and bias, as weights and bias or as those of NF4, got "
             << getGateUp().size() << " and " << getDown().size() << " tensors";
  const auto input = getInput().getType(), chosen = getChosen().getType();
  if (input.isDynamicDim(1) || chosen.isDynamicDim(1) || ShapedType::isDynamic(intermediate()))
    return emitOpError() << "the hidden size, the intermediate size and the number of experts a token must be known";
  const Size tokens{*this, "number of tokens", input.getDimSize(0)}, hiddenSize{*this, "hidden size", hidden()},
      experts{*this, "number of experts", typeOf(getGateUp()[0]).getDimSize(0)};
  if (failed(tokens.is("chosen", chosen.getDimSize(0))) ||
      failed(tokens.is("scores", getScores().getType().getDimSize(0))) ||
      failed(Size{*this, "number of experts a token", top()}.is("scores", getScores().getType().getDimSize(1))) ||
      failed(hiddenSize.is("the result", getOut().getType().getDimSize(1))))
    return failure();
  if (getResidual() && failed(hiddenSize.is("the residual", getResidual().getType().getDimSize(1))))
    return failure();
  const Size intermediateSize{*this, "intermediate size", intermediate()};
  const MatrixSizes gateUp{experts, {*this, "number of gate and up rows", 2 * intermediate()}, hiddenSize};
  const MatrixSizes down{experts, hiddenSize, intermediateSize};
  const std::tuple<StringRef, OperandRange, const MatrixSizes &> matrices[] = {{"gate_up", getGateUp(), gateUp},
                                                                               {"down", getDown(), down}};
  for (const auto &[name, tensors, sizes] : matrices) {
    const Type element = input.getElementType();
    if (failed(dense() ? verifyDense(*this, name, typeOf(tensors[0]), element, sizes)
               : nf4() ? verifyNf4(*this, name, tensors, sizes)
                       : verifyMxfp4(*this, name, typeOf(tensors[0]), typeOf(tensors[1]), sizes)) ||
        failed(verifyBias(*this, name, typeOf(tensors.back()), element, sizes)))
      return failure();
  }
  if (failed(verifyFactors(*this, "lora_gate_up", getGateUpLora(), input.getElementType(), gateUp)) ||
      failed(verifyFactors(*this, "lora_down", getDownLora(), input.getElementType(), down)))
    return failure();
  if (getGateUpLora().empty() || getDownLora().empty())
    return success();
  return Size{*this, "rank", typeOf(getGateUpLora()[0]).getDimSize(1)}.is("lora_down",
                                                                          typeOf(getDownLora()[0]).getDimSize(1));
}
