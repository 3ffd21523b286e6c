// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A mask.func as a flat list of instructions over registers: what the interpreter runs. No MLIR here.
#pragma once
#include "compiler/Result.h"
#include "compiler/frontend/Interval.h"
#include <string>
#include <vector>

namespace maskjit::interpreter {

enum class Opcode : uint8_t {
  Constant, // value
  ConstantReal,
  Param, // parameter number `value`
  ParamReal,
  Load, // element a of array number `value`
  LoadReal,
  Search, // first position of array `value` whose element is at least a
  Size,
  Add,
  Sub,
  Mul,
  FloorDiv,
  Mod,
  Min,
  Max,
  Eq,
  Ne,
  Lt,
  Le,
  And,
  Or,
  Not,
  Select, // a ? b : c
  ToReal,
  AddReal,
  SubReal,
  MulReal,
  DivReal,
  NegReal,
  MinReal,
  MaxReal,
  AbsReal,
  Tanh,
  Exp,
  Log,
  Sqrt,
  Pow,
  LtReal, // ordered: false if one is no number
  LeReal,
  EqReal,
  SelectReal,
};

struct Instruction {
  Opcode op = Opcode::Constant;
  uint32_t result = 0, a = 0, b = 0, c = 0; // registers
  int64_t value = 0;
  float real = 0;
};

/// Values of one parameter, for all sequences.
struct BoundParam {
  const int32_t *integers = nullptr; // or
  const float *reals = nullptr;
  int64_t batchStride = 0, size = 1;
  frontend::Interval range; // of the values bound
};

/// Integers of the narrow program run in 64 bits, else in 128.
struct FunctionCode {
  unsigned arguments = 0; // registers [0, arguments), the score's own value first if there is one
  bool scoreFirst = false;
  unsigned registers = 0;
  std::vector<Instruction> instructions;
  std::vector<uint32_t> results;
  bool narrow = false;

  /// Bounds all integers for coordinates in [0, 2^28] and the bound parameters, decides `narrow`; an error if 128 bits
  /// do not suffice.
  Result<void> checkRanges(const std::vector<BoundParam> &params);

  /// `results` integers (truth values as 0 and 1) for integer arguments; the batch is argument 0.
  void run(const std::vector<BoundParam> &params, const int64_t *arguments, int64_t *results) const;
  /// The result of a score function.
  float runScore(const std::vector<BoundParam> &params, float score, const int64_t *coordinates) const;
};

} // namespace maskjit::interpreter
