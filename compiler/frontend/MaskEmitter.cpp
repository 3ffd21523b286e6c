// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions of a mask: its predicate, and its score if it has one.
#include "compiler/frontend/MaskEmitter.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <fmt/format.h>

using namespace mlir;

namespace maskjit::frontend {

static ArrayAttr declarations(OpBuilder &builder, const std::vector<ParamInfo> &params) {
  SmallVector<Attribute> attrs;
  for (const ParamInfo &info : params) {
    TypedAttr value;
    if (info.defaultValue)
      value = info.isFloat ? TypedAttr(builder.getF32FloatAttr(static_cast<float>(*info.defaultValue)))
                           : TypedAttr(builder.getI64IntegerAttr(static_cast<int64_t>(*info.defaultValue)));
    attrs.push_back(mask::ParamAttr::get(builder.getContext(), builder.getStringAttr(info.name),
                                         static_cast<mask::Axis>(info.axis), info.min, info.max, info.isStatic,
                                         info.isSorted, info.isFloat, value));
  }
  return builder.getArrayAttr(attrs);
}

/// The coordinates that the mask names: arguments of the function, b being argument `first`.
static void bindCoordinates(Frame &frame, Block &block, unsigned first) {
  for (const Coordinate &each : frame.mask.coordinates) {
    const size_t at = std::string_view("bhqk").find(each.name);
    const int64_t limit = at < 2 ? mask::kMaxBatch : mask::kMaxPosition;
    frame.coordinates[at] = Value{ValueKind::Integer, block.getArgument(first + at), {0, limit - 1}};
  }
}

static void bindParams(Frame &frame, MaskEmitter &emitter, OpBuilder &builder,
                       const std::map<std::string, int64_t> &fixed) {
  for (const ParamDecl &param : frame.mask.params) {
    Binding binding{&param.info, {}, {}, {param.info.min, param.info.max}};
    const Location loc = emitter.location(frame, param.nameRange);
    const StringAttr name = builder.getStringAttr(param.info.name);
    if (auto value = fixed.find(param.info.name); value != fixed.end())
      binding.scalar = {ValueKind::Integer, emitter.operations().integer(loc, value->second),
                        Interval::constant(value->second)};
    else if (param.info.axis != Axis::None)
      binding.array = name;
    else if (param.info.isFloat)
      binding.scalar = {ValueKind::Real, emitter.operations().param(loc, builder.getF32Type(), name), {}};
    else
      binding.scalar = {ValueKind::Integer, emitter.operations().param(loc, builder.getIndexType(), name),
                        binding.range};
    frame.params[param.info.name] = binding;
  }
}

/// Values of `let` that nothing reads, parameters read by the other function only, terms that folding left behind.
static void eraseUnused(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

Result<EmittedMask> emitMask(MLIRContext &context, const SyntaxTree &tree, const MaskDecl &decl,
                             const std::map<std::string, int64_t> &fixed) {
  EmittedMask out;
  for (const ParamDecl &param : decl.params)
    if (!fixed.count(param.info.name))
      out.params.push_back(param.info);
  OpBuilder builder(&context);
  out.module = ModuleOp::create(builder.getUnknownLoc());
  const ArrayAttr params = declarations(builder, out.params);
  const Type index = builder.getIndexType(), real = builder.getF32Type();

  auto emitFunction = [&](std::string name, ExprId body, SourceRange at, bool score) -> Result<void> {
    const FunctionType type = score ? builder.getFunctionType({real, index, index, index, index}, {real})
                                    : builder.getFunctionType({index, index, index, index}, {builder.getI1Type()});
    MaskEmitter emitter(builder, decl, score);
    Frame frame(tree, decl);
    frame.inScore = score;
    const Location loc = emitter.location(frame, at);
    builder.setInsertionPointToEnd(out.module->getBody());
    auto func = mask::FuncOp::create(builder, loc, name, type, params, nullptr, nullptr);
    Block &block = func.getBody().emplaceBlock();
    for (Type each : type.getInputs())
      block.addArgument(each, loc);
    builder.setInsertionPointToStart(&block);
    bindCoordinates(frame, block, score ? 1 : 0);
    bindParams(frame, emitter, builder, fixed);
    if (score) {
      const std::string &variable = decl.score->variable;
      if (frame.params.count(variable) ||
          (variable.size() == 1 && std::string_view("bhqk").find(variable) != std::string_view::npos))
        return errorAt(
            tree.span(decl.score->variableRange),
            fmt::format("'{}' already names a {}", variable, frame.params.count(variable) ? "parameter" : "coordinate"),
            "choose another name for the score");
      frame.lets[variable] = {Value{ValueKind::Real, block.getArgument(0), {}}, decl.score->variableRange};
    }
    const std::optional<Value> value = emitter.emit(frame, body, score ? ValueKind::Real : ValueKind::Truth);
    if (!value)
      return emitter.error();
    mask::ReturnOp::create(builder, loc, value->ir);
    eraseUnused(block);
    return {};
  };

  if (Result<void> done = emitFunction(decl.name, decl.body, decl.nameRange, false); !done)
    return done.error();
  if (decl.score)
    if (Result<void> done = emitFunction(decl.name + ".score", decl.score->body, decl.score->range, true); !done)
      return done.error();
  return out;
}

} // namespace maskjit::frontend
