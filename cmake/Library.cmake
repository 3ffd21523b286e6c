# libmaskjit.so: dialects, compiler and runtime (no LibTorch), with the only copy of LLVM and MLIR.
include_guard(GLOBAL)
get_property(parts GLOBAL PROPERTY MASKJIT_PARTS)
add_library(maskjit SHARED)
foreach(part ${parts})
  target_sources(maskjit PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
maskjit_link_llvm(maskjit
  MLIR MLIROptLib MLIRArithDialect MLIRMathDialect MLIRFuncDialect MLIRPresburger MLIRTransforms MLIRParser
    MLIRTargetLLVMIRExport MLIRBuiltinToLLVMIRTranslation MLIRLLVMToLLVMIRTranslation MLIRArithToLLVM MLIRFuncToLLVM
    MLIRMathToLLVM MLIRReconcileUnrealizedCasts
  LLVM Support Remarks OrcJIT Passes BitReader Linker native)
target_link_libraries(maskjit PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
set(exports ${CMAKE_SOURCE_DIR}/cmake/exports.map)
target_link_options(maskjit PRIVATE -Wl,--version-script=${exports})
set_target_properties(maskjit PROPERTIES LINK_DEPENDS ${exports})
