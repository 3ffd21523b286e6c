// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernels' entries. Clang makes bitcode of this file at build time; at run time it is linked with a mask's
// functions, optimised for the machine at hand and compiled (compiler/codegen/Cpu.h).
#include "compiler/device/cpu/Backward.h"
#include "compiler/device/cpu/Forward.h"

using namespace maskjit::cpu;

extern "C" {

void forward(const Attention *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    forwardItem(*args, itemAt(*args, i));
}

void backward_rows(const Attention *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    backwardRows(*args, i / args->headsQ, i % args->headsQ);
}

void backward_sinks(const Attention *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    backwardSink(*args, i);
}

void backward_queries(const Attention *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    backwardQueries(*args, itemAt(*args, i));
}

void backward_keys(const Attention *args, int64_t begin, int64_t end) {
  const int64_t tiles = keyTiles(*args);
  for (int64_t i = begin; i < end; ++i)
    backwardKeys(*args, i / tiles / args->headsKv, i / tiles % args->headsKv, i % tiles * kKeyTile);
}
}
