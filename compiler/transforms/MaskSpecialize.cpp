// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-specialize: static parameters become constants.
#include "compiler/transforms/Passes.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/ADT/StringMap.h"

#define DEBUG_TYPE "mask-specialize"
ALWAYS_ENABLED_STATISTIC(readsFolded, "reads of static parameters that became constants");

namespace maskjit {
#define GEN_PASS_DEF_MASKSPECIALIZE
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

namespace {

/// Value of a static parameter: what was given, else its default.
FailureOr<int64_t> valueOf(FuncOp func, ParamAttr param, const llvm::StringMap<int64_t> &given) {
  StringRef name = param.getName();
  int64_t value = 0;
  if (auto it = given.find(name); it != given.end())
    value = it->second;
  else if (auto standard = dyn_cast_or_null<IntegerAttr>(param.getDefaultValue()))
    value = standard.getInt();
  else
    return func.emitOpError() << "has the static parameter \"" << name << "\" without a value; pass values=" << name
                              << "=<integer>";
  if (value < param.getMin() || value > param.getMax())
    return func.emitOpError() << "declares \"" << name << "\" in [" << param.getMin() << ", " << param.getMax()
                              << "], got " << value;
  return value;
}

struct MaskSpecialize : maskjit::impl::MaskSpecializeBase<MaskSpecialize> {
  using MaskSpecializeBase::MaskSpecializeBase;

  LogicalResult parseValues(llvm::StringMap<int64_t> &given) {
    for (StringRef each : values) {
      auto [name, text] = each.split('=');
      int64_t value = 0;
      if (text.getAsInteger(10, value))
        return getOperation().emitError() << "expected values=<parameter>=<integer>, got '" << each << "'";
      given[name] = value;
    }
    return success();
  }

  LogicalResult specialize(FuncOp func, const llvm::StringMap<int64_t> &given) {
    ArrayAttr params = func.getParamsAttr();
    if (!params)
      return success();
    llvm::StringMap<int64_t> constants;
    SmallVector<Attribute> kept;
    for (auto param : params.getAsRange<ParamAttr>()) {
      if (!param.getIsStatic()) {
        kept.push_back(param);
        continue;
      }
      FailureOr<int64_t> value = valueOf(func, param, given);
      if (failed(value))
        return failure();
      constants[param.getName()] = *value;
    }
    if (constants.empty())
      return success();
    func.walk([&](ParamOp op) {
      auto it = constants.find(op.getName());
      if (it == constants.end())
        return;
      OpBuilder builder(op);
      op.replaceAllUsesWith(ConstantOp::create(builder, op.getLoc(), it->second).getResult());
      op.erase();
      ++readsFolded;
    });
    func.setParamsAttr(ArrayAttr::get(func.getContext(), kept));
    return success();
  }

  void runOnOperation() override {
    llvm::StringMap<int64_t> given;
    if (failed(parseValues(given)))
      return signalPassFailure();
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (failed(specialize(func, given)))
        return signalPassFailure();
  }
};

} // namespace
