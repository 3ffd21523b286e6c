// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One instruction an operation, a table line a kind.
#include "compiler/interpreter/FunctionCompiler.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace maskjit::interpreter {

/// The opcode of an operation that is named by its kind alone.
static std::optional<Opcode> plainOpcode(Operation *op) {
  using Found = std::optional<Opcode>;
  const bool real = op->getNumResults() == 1 && isa<FloatType>(op->getResult(0).getType());
  return llvm::TypeSwitch<Operation *, Found>(op)
      .Case([](mask::AddOp) -> Found { return Opcode::Add; })
      .Case([](mask::SubOp) -> Found { return Opcode::Sub; })
      .Case([](mask::MulOp) -> Found { return Opcode::Mul; })
      .Case([](mask::FloorDivOp) -> Found { return Opcode::FloorDiv; })
      .Case([](mask::ModOp) -> Found { return Opcode::Mod; })
      .Case([](mask::MinOp) -> Found { return Opcode::Min; })
      .Case([](mask::MaxOp) -> Found { return Opcode::Max; })
      .Case([](mask::AndOp) -> Found { return Opcode::And; })
      .Case([](mask::OrOp) -> Found { return Opcode::Or; })
      .Case([](mask::NotOp) -> Found { return Opcode::Not; })
      .Case([](mask::SelectOp) -> Found { return Opcode::Select; })
      .Case([](mask::ToFloatOp) -> Found { return Opcode::ToReal; })
      .Case([&](arith::SelectOp) -> Found { return real ? Opcode::SelectReal : Opcode::Select; })
      .Case([](arith::AddFOp) -> Found { return Opcode::AddReal; })
      .Case([](arith::SubFOp) -> Found { return Opcode::SubReal; })
      .Case([](arith::MulFOp) -> Found { return Opcode::MulReal; })
      .Case([](arith::DivFOp) -> Found { return Opcode::DivReal; })
      .Case([](arith::NegFOp) -> Found { return Opcode::NegReal; })
      .Case([](arith::MinimumFOp) -> Found { return Opcode::MinReal; })
      .Case([](arith::MaximumFOp) -> Found { return Opcode::MaxReal; })
      .Case([](math::AbsFOp) -> Found { return Opcode::AbsReal; })
      .Case([](math::TanhOp) -> Found { return Opcode::Tanh; })
      .Case([](math::ExpOp) -> Found { return Opcode::Exp; })
      .Case([](math::LogOp) -> Found { return Opcode::Log; })
      .Case([](math::SqrtOp) -> Found { return Opcode::Sqrt; })
      .Case([](math::PowFOp) -> Found { return Opcode::Pow; })
      .Default([](Operation *) -> Found { return std::nullopt; });
}

namespace {
class FunctionCompiler {
public:
  explicit FunctionCompiler(mask::FuncOp func) : func(func) {}
  Result<FunctionCode> compile();

private:
  bool compare(mask::CmpOp op, Instruction &out);
  bool compareReals(arith::CmpFOp op, Instruction &out);
  bool constant(TypedAttr value, Instruction &out);
  bool translate(Operation &op, Instruction &out);
  int64_t paramNumber(StringRef name) const { return params.lookup(name); }

  mask::FuncOp func;
  llvm::StringMap<int64_t> params;
  llvm::DenseMap<Value, uint32_t> registers;
};
} // namespace

bool FunctionCompiler::compare(mask::CmpOp op, Instruction &out) {
  switch (op.getPredicate()) {
  case mask::Predicate::eq:
    out.op = Opcode::Eq;
    break;
  case mask::Predicate::ne:
    out.op = Opcode::Ne;
    break;
  case mask::Predicate::lt:
    out.op = Opcode::Lt;
    break;
  case mask::Predicate::le:
    out.op = Opcode::Le;
    break;
  case mask::Predicate::gt:
    out.op = Opcode::Lt;
    std::swap(out.a, out.b);
    break;
  case mask::Predicate::ge:
    out.op = Opcode::Le;
    std::swap(out.a, out.b);
    break;
  }
  return true;
}

bool FunctionCompiler::compareReals(arith::CmpFOp op, Instruction &out) {
  switch (op.getPredicate()) {
  case arith::CmpFPredicate::OEQ:
    out.op = Opcode::EqReal;
    return true;
  case arith::CmpFPredicate::OLT:
    out.op = Opcode::LtReal;
    return true;
  case arith::CmpFPredicate::OLE:
    out.op = Opcode::LeReal;
    return true;
  case arith::CmpFPredicate::OGT:
    out.op = Opcode::LtReal;
    std::swap(out.a, out.b);
    return true;
  case arith::CmpFPredicate::OGE:
    out.op = Opcode::LeReal;
    std::swap(out.a, out.b);
    return true;
  default:
    return false;
  }
}

bool FunctionCompiler::constant(TypedAttr value, Instruction &out) {
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    out.value = integer.getType().isInteger(1) ? !integer.getValue().isZero() : integer.getValue().getSExtValue();
    return true;
  }
  auto real = dyn_cast<FloatAttr>(value);
  if (!real || !real.getType().isF32())
    return false;
  out.op = Opcode::ConstantReal;
  out.real = real.getValue().convertToFloat();
  return true;
}

bool FunctionCompiler::translate(Operation &op, Instruction &out) {
  for (auto [i, operand] : llvm::enumerate(op.getOperands()))
    (i == 0 ? out.a : i == 1 ? out.b : out.c) = registers.lookup(operand);
  if (std::optional<Opcode> plain = plainOpcode(&op)) {
    out.op = *plain;
    return true;
  }
  const bool real = isa<FloatType>(op.getResult(0).getType());
  return llvm::TypeSwitch<Operation *, bool>(&op)
      .Case([&](mask::ConstantOp each) { return constant(each.getValue(), out); })
      .Case([&](arith::ConstantOp each) { return constant(each.getValue(), out); })
      .Case([&](mask::CmpOp each) { return compare(each, out); })
      .Case([&](arith::CmpFOp each) { return compareReals(each, out); })
      .Case([&](mask::ParamOp each) {
        out.op = real ? Opcode::ParamReal : Opcode::Param;
        out.value = paramNumber(each.getName());
        return true;
      })
      .Case([&](mask::LoadOp each) {
        out.op = real ? Opcode::LoadReal : Opcode::Load;
        out.value = paramNumber(each.getName());
        return true;
      })
      .Case([&](mask::SearchOp each) {
        out.op = Opcode::Search;
        out.value = paramNumber(each.getName());
        return true;
      })
      .Case([&](mask::SizeOp each) {
        out.op = Opcode::Size;
        out.value = paramNumber(each.getName());
        return true;
      })
      .Default([](Operation *) { return false; });
}

Result<FunctionCode> FunctionCompiler::compile() {
  FunctionCode code;
  if (ArrayAttr declarations = func.getParamsAttr())
    for (auto [i, each] : llvm::enumerate(declarations))
      params[cast<mask::ParamAttr>(each).getName().getValue()] = static_cast<int64_t>(i);
  Block &block = func.getBody().front();
  for (BlockArgument argument : block.getArguments())
    registers[argument] = code.registers++;
  code.arguments = code.registers;
  code.scoreFirst = code.arguments > 0 && isa<FloatType>(block.getArgument(0).getType());
  for (Operation &op : block.without_terminator()) {
    Instruction instruction;
    if (op.getNumResults() != 1 || !translate(op, instruction))
      return Error{"the interpreter does not know '" + op.getName().getStringRef().str() + "' as it stands in @" +
                   func.getSymName().str()};
    registers[op.getResult(0)] = instruction.result = code.registers++;
    code.instructions.push_back(instruction);
  }
  for (Value result : block.getTerminator()->getOperands())
    code.results.push_back(registers.lookup(result));
  return code;
}

Result<FunctionCode> compileFunction(mask::FuncOp func) { return FunctionCompiler(func).compile(); }

} // namespace maskjit::interpreter
