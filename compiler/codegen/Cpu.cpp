// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The LLVM half of the CPU target: link, optimise for a machine, compile in memory.
#include "compiler/codegen/Cpu.h"
#include "compiler/EmbeddedFile.h"
#include "compiler/codegen/CpuModule.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/Internalize.h"
#include <mutex>

namespace maskjit {
extern const EmbeddedFile kCpuBitcode[];

namespace {

Error failed(std::string_view step, llvm::Error error) {
  return Error{"error: compiling for the CPU: " + std::string(step) + ": " + llvm::toString(std::move(error))};
}

std::vector<std::string> entriesOf(Phase phase) {
  if (isBackward(phase))
    return {"backward_rows", "backward_sinks", "backward_queries", "backward_keys"};
  return {"forward"};
}

/// Gives the declaration `name`, something the kernels are compiled for, a body that returns `value`.
void defineConstant(llvm::Module &module, const char *name, uint64_t value) {
  llvm::Function *function = module.getFunction(name);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "", function));
  builder.CreateRet(llvm::ConstantInt::get(function->getReturnType(), value));
}

llvm::Expected<llvm::orc::JITTargetMachineBuilder> targetFor(const CpuMachine &machine) {
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  if (!machine.name.empty()) {
    builder->setCPU(machine.name);
    builder->getFeatures() = llvm::SubtargetFeatures(machine.features);
  }
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  return builder;
}

/// Makes the functions ones for `target`: everything but the entries is private, the mask becomes part of the loops.
void adopt(llvm::Module &module, const llvm::TargetMachine &target, const std::vector<std::string> &entries) {
  const llvm::StringSet<> perElement{"mask_attends", "mask_score",     "mask_score_grad",
                                     "mask_has_row", "mask_has_score", "mask_uses_head"};
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    for (const char *old : {"target-cpu", "target-features", "tune-cpu", "min-legal-vector-width", "frame-pointer"})
      function.removeFnAttr(old);
    function.addFnAttr("target-cpu", target.getTargetCPU());
    function.addFnAttr("target-features", target.getTargetFeatureString());
    function.addFnAttr("prefer-vector-width", "512"); // the kernels keep both units busy with it
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.setComdat(nullptr);
    // What runs for each element becomes part of the loops over lanes; what runs for each tile may stay a call.
    if (function.getName().starts_with("maskjit_") || perElement.contains(function.getName()))
      function.addFnAttr(llvm::Attribute::AlwaysInline);
  }
  if (llvm::GlobalVariable *kept = module.getNamedGlobal("llvm.compiler.used"))
    kept->eraseFromParent(); // it held functions for the mask, which is linked now
  llvm::internalizeModule(module, [&](const llvm::GlobalValue &value) {
    return std::find(entries.begin(), entries.end(), value.getName()) != entries.end();
  });
}

void optimise(llvm::Module &module, llvm::TargetMachine &target) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&target);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

class JitKernel : public CpuKernel {
public:
  JitKernel(std::unique_ptr<llvm::orc::LLJIT> jit, std::map<std::string, Entry, std::less<>> entries)
      : jit(std::move(jit)), entries(std::move(entries)) {}
  Entry entry(std::string_view name) const override {
    auto found = entries.find(name);
    return found == entries.end() ? nullptr : found->second;
  }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit; // owns the code
  std::map<std::string, Entry, std::less<>> entries;
};

} // namespace

Result<std::shared_ptr<const CpuKernel>> compileIrForCpu(const std::string &ir, const KernelSpec &spec,
                                                         const CpuMachine &machine) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });

  auto builder = targetFor(machine);
  if (!builder)
    return failed("this machine", builder.takeError());
  auto target = builder->createTargetMachine();
  if (!target)
    return failed("this machine", target.takeError());

  auto context = std::make_unique<llvm::LLVMContext>();
  Result<std::unique_ptr<llvm::Module>> mask = lowerMaskToLlvm(ir, *context);
  if (!mask)
    return mask.error();
  if (isBackward(spec.phase) && (*mask)->getFunction("mask_score") && !(*mask)->getFunction("mask_score_grad"))
    return Error{
        "error: the mask has a score clause whose derivative was not derived: its gradients cannot be compiled"};
  auto kernels = llvm::parseBitcodeFile({{kCpuBitcode[0].data, kCpuBitcode[0].size}, "cpu attention"}, *context);
  if (!kernels)
    return failed("its bitcode", kernels.takeError());
  llvm::Module &module = **kernels;
  (*mask)->setDataLayout(module.getDataLayout());
  (*mask)->setTargetTriple(module.getTargetTriple());
  if (llvm::Linker::linkModules(module, std::move(*mask)))
    return Error{"error: compiling for the CPU: the mask's functions do not fit the kernels' declarations"};
  defineConstant(module, "maskjit_head_dim", spec.headDim);
  defineConstant(module, "maskjit_dtype", uint64_t(spec.dtype));
  defineConstant(module, "maskjit_wide", (*target)->getMCSubtargetInfo()->checkFeatures("+avx512f"));
  const std::vector<std::string> names = entriesOf(spec.phase);
  module.setDataLayout((*target)->createDataLayout());
  adopt(module, **target, names);
  optimise(module, **target);

  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(*builder).create();
  if (!jit)
    return failed("starting the JIT", jit.takeError());
  llvm::orc::ThreadSafeModule threadSafe(std::move(*kernels), std::move(context));
  if (llvm::Error error = (*jit)->addIRModule(std::move(threadSafe)))
    return failed("its code", std::move(error));
  std::map<std::string, CpuKernel::Entry, std::less<>> entries;
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(name);
    if (!address)
      return failed(name, address.takeError());
    entries[name] = address->toPtr<CpuKernel::Entry>();
  }
  return std::shared_ptr<const CpuKernel>(std::make_shared<JitKernel>(std::move(*jit), std::move(entries)));
}

Result<std::shared_ptr<const CpuKernel>> compileForCpu(const Mask &mask, const KernelSpec &spec) {
  return compileIrForCpu(mask.ir(/*derived=*/true), spec);
}

} // namespace maskjit
