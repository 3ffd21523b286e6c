// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The class Mask: text or IR in, verified IR and its derivations out.
#include "compiler/frontend/CollectDiagnostics.h"
#include "compiler/frontend/Digest.h"
#include "compiler/frontend/Imports.h"
#include "compiler/frontend/MaskEmitter.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/frontend/Names.h"
#include "compiler/transforms/Passes.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include <fmt/format.h>

using namespace mlir;

namespace maskjit {
using namespace frontend;

MLIRContext &maskContext() {
  static MLIRContext &context = *[] {
    auto *made = new MLIRContext; // masks may outlive every static object
    made->loadDialect<mask::MaskDialect, attn::AttnDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect>();
    return made;
  }();
  return context;
}

// ---- making masks ----

static Result<Mask> finish(std::shared_ptr<Mask::Impl> impl) {
  LogicalResult verified = failure();
  const std::string messages = diagnosticsOf(maskContext(), [&] { verified = verify(*impl->module); });
  if (failed(verified))
    return Error{messages};
  impl->digest = structuralDigest(*impl->module);
  return Mask(std::move(impl));
}

static Result<Mask> fromTree(std::shared_ptr<const SyntaxTree> tree, const MaskDecl &decl,
                             std::map<std::string, int64_t> fixed) {
  Result<EmittedMask> emitted = emitMask(maskContext(), *tree, decl, fixed);
  if (!emitted)
    return emitted.error();
  auto impl = std::make_shared<Mask::Impl>();
  impl->name = decl.name;
  impl->params = std::move(emitted->params);
  impl->module = std::move(emitted->module);
  impl->tree = std::move(tree);
  impl->decl = &decl;
  impl->fixed = std::move(fixed);
  return finish(std::move(impl));
}

Result<Mask> Mask::Impl::fromTree(std::shared_ptr<const SyntaxTree> tree, std::string_view name) {
  const MaskDecl *decl = name.empty() ? &tree->masks.back() : nullptr;
  std::vector<std::string> names;
  for (const MaskDecl &each : tree->masks) {
    names.push_back(each.name);
    if (each.name == name)
      decl = &each;
  }
  if (!decl) {
    const std::string guess = didYouMean(name, names);
    return Error{fmt::format("{} has no mask '{}'; {}", printable(tree->source.name, 200), printable(name),
                             guess.empty() ? "it has " + quotedList(names) : guess)};
  }
  // The other masks of the file are checked too: an error is found where it is written, not at the first use.
  for (const MaskDecl &each : tree->masks)
    if (&each != decl)
      if (Result<EmittedMask> checked = emitMask(maskContext(), *tree, each, {}); !checked)
        return checked.error();
  return maskjit::fromTree(std::move(tree), *decl, {});
}

Result<Mask> Mask::Impl::fromModule(OwningOpRef<ModuleOp> module, OwningOpRef<ModuleOp> derived) {
  auto impl = std::make_shared<Mask::Impl>();
  for (auto func : module->getOps<mask::FuncOp>())
    if (!func.getSymName().contains('.')) {
      impl->name = func.getSymName().str();
      if (ArrayAttr params = func.getParamsAttr())
        for (Attribute each : params) {
          auto param = cast<mask::ParamAttr>(each);
          ParamInfo info{param.getName().str(), static_cast<maskjit::Axis>(param.getAxis()),
                         param.getMin(),        param.getMax(),
                         param.getIsStatic(),   param.getIsSorted(),
                         param.getIsFloat(),    {}};
          if (auto integer = dyn_cast_or_null<IntegerAttr>(param.getDefaultValue()))
            info.defaultValue = static_cast<double>(integer.getValue().getSExtValue());
          else if (auto real = dyn_cast_or_null<FloatAttr>(param.getDefaultValue()))
            info.defaultValue = real.getValueAsDouble();
          impl->params.push_back(std::move(info));
        }
    }
  if (impl->name.empty())
    return Error{"the module has no mask.func without a dot in its name: the predicate is missing"};
  impl->module = std::move(module);
  impl->derivedModule = std::move(derived);
  Result<Mask> mask = finish(impl);
  if (mask && impl->derivedModule) // kernels with other derivations are other kernels
    impl->digest = structuralDigest(*impl->derivedModule);
  return mask;
}

Result<Mask> Mask::parse(std::string_view text, std::string_view file, std::string_view name) {
  auto tree = loadText(std::string(text), std::string(file));
  return tree ? Impl::fromTree(*tree, name) : Result<Mask>(tree.error());
}

std::vector<std::string> Mask::shipped() { return shippedNames(); }

// ---- specialize ----

Result<Mask> Mask::specialize(const std::map<std::string, int64_t> &values) const {
  const Impl &mask = *impl;
  if (!mask.tree)
    return Error{
        fmt::format("mask '{}' was made from IR, where -mask-specialize folds its static parameters", mask.name)};
  std::map<std::string, int64_t> fixed = mask.fixed;
  std::vector<std::string> names;
  for (const ParamInfo &param : mask.params) {
    names.push_back(param.name);
    if (!param.isStatic && !values.count(param.name))
      continue;
    if (param.axis != Axis::None || param.isFloat)
      return Error{fmt::format("parameter '{}' of mask '{}' is {}; only single integers can be fixed", param.name,
                               mask.name, param.isFloat ? "a float" : "an array")};
    auto given = values.find(param.name);
    if (given == values.end() && !param.defaultValue)
      return Error{fmt::format("mask '{}' needs a value for its static parameter '{}': write {}{{{}={}}}", mask.name,
                               param.name, mask.name, param.name, param.min)};
    const int64_t value = given != values.end() ? given->second : static_cast<int64_t>(*param.defaultValue);
    if (value < param.min || value > param.max)
      return Error{fmt::format("parameter '{}' of mask '{}' lies in {}..{}, got {}", param.name, mask.name, param.min,
                               param.max, value)};
    fixed[param.name] = value;
  }
  for (const auto &[name, value] : values)
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string guess = didYouMean(name, names);
      return Error{fmt::format("mask '{}' has no parameter '{}'{}", mask.name, printable(name),
                               !guess.empty()  ? "; " + guess
                               : names.empty() ? ""
                                               : "; it has " + quotedList(names))};
    }
  if (fixed == mask.fixed)
    return *this;
  return maskjit::fromTree(mask.tree, *mask.decl, std::move(fixed));
}

// ---- reading ----

const std::string &Mask::name() const { return impl->name; }
const std::vector<ParamInfo> &Mask::params() const { return impl->params; }
const std::string &Mask::digest() const { return impl->digest; }
bool Mask::hasScore() const { return static_cast<bool>(impl->module.get().lookupSymbol(impl->name + ".score")); }

Result<ModuleOp> Mask::Impl::derived() const {
  std::lock_guard<std::mutex> lock(mutex);
  if (!derivedModule && !derivedError) {
    MLIRContext &context = maskContext();
    OwningOpRef<ModuleOp> copy = module.get().clone();
    LogicalResult done = failure();
    const std::string messages = diagnosticsOf(context, [&] {
      PassManager pipeline(&context);
      buildMaskPipeline(pipeline);
      done = pipeline.run(*copy);
    });
    if (succeeded(done))
      derivedModule = std::move(copy);
    else
      derivedError = Error{messages.empty() ? fmt::format("the pipeline failed on mask '{}'", name) : messages};
  }
  if (derivedError)
    return *derivedError;
  return derivedModule.get();
}

std::string Mask::ir(bool derived) const {
  ModuleOp module = impl->module.get();
  std::string out;
  llvm::raw_string_ostream stream(out);
  if (derived) {
    Result<ModuleOp> all = impl->derived();
    if (!all)
      return "// " + all.error().message + "\n";
    module = *all;
  }
  module.print(stream);
  return out;
}

} // namespace maskjit
