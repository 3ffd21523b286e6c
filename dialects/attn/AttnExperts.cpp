// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shapes of attn.experts: every size that its matrices, biases and rows share is the same.
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

/// A packed matrix [experts, rows, columns / 32, 16] with its scales and bias.
LogicalResult verifyMatrix(Operation *op, StringRef name, ShapedType blocks, ShapedType scales, ShapedType bias,
                           const Size &experts, const Size &rows, const Size &columns) {
  if (blocks.getDimSize(3) != 16)
    return op->emitOpError() << name << " has blocks of " << blocks.getDimSize(3) << " bytes; MXFP4 has 16";
  const int64_t packed = blocks.getDimSize(2);
  for (ShapedType type : {blocks, scales, bias})
    if (failed(experts.is(name, type.getDimSize(0))) || failed(rows.is(name, type.getDimSize(1))))
      return failure();
  if (failed(columns.is(name, ShapedType::isDynamic(packed) ? packed : packed * 32)))
    return failure();
  return Size{op, "number of blocks a row", packed}.is(name, scales.getDimSize(2));
}
} // namespace

LogicalResult ExpertsOp::verify() {
  const auto input = getInput().getType(), chosen = getChosen().getType();
  if (input.isDynamicDim(1) || chosen.isDynamicDim(1) || getDownScales().getType().isDynamicDim(2))
    return emitOpError() << "the hidden size, the intermediate size and the number of experts a token must be known";
  const Size tokens{*this, "number of tokens", input.getDimSize(0)}, hiddenSize{*this, "hidden size", hidden()},
      experts{*this, "number of experts", getGateUpBlocks().getType().getDimSize(0)};
  if (failed(tokens.is("chosen", chosen.getDimSize(0))) ||
      failed(tokens.is("scores", getScores().getType().getDimSize(0))) ||
      failed(Size{*this, "number of experts a token", top()}.is("scores", getScores().getType().getDimSize(1))) ||
      failed(hiddenSize.is("the result", getOut().getType().getDimSize(1))))
    return failure();
  if (getResidual() && failed(hiddenSize.is("the residual", getResidual().getType().getDimSize(1))))
    return failure();
  const Size intermediateSize{*this, "intermediate size", intermediate()};
  if (failed(verifyMatrix(*this, "gate_up", getGateUpBlocks().getType(), getGateUpScales().getType(),
                          getGateUpBias().getType(), experts, {*this, "number of gate and up rows", 2 * intermediate()},
                          hiddenSize)))
    return failure();
  return verifyMatrix(*this, "down", getDownBlocks().getType(), getDownScales().getType(), getDownBias().getType(),
                      experts, hiddenSize, intermediateSize);
}
