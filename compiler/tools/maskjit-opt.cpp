// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program maskjit-opt.
#include "compiler/tools/MaskjitOpt.h"
int main(int argc, char **argv) { return maskjit::maskjitOptMain(argc, argv); }
