// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the values of a step lie: bound by the caller, or in memory that later values take over.
#pragma once
#include "compiler/Step.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

namespace maskjit::cuda {

inline int64_t bytesOf(mlir::Type element) { return (element.getIntOrFloatBitWidth() + 7) / 8; }

/// Bytes of one slot's part of a tensor whose first axis is the slots.
inline int64_t rowBytes(mlir::Type type) {
  const auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  int64_t bytes = bytesOf(tensor.getElementType());
  for (int64_t size : tensor.getShape().drop_front())
    bytes *= size;
  return bytes;
}

/// Numbers of values, and memory that is reused once nothing needs what it holds.
class StepValues {
public:
  explicit StepValues(StepProgram &program) : program(program) {}

  int of(mlir::Value value) const { return number.lookup(value); }
  void bind(mlir::Value value, const std::string &input) { number[value] = add({input, 0, -1}); }
  /// `value` is what `other` is, under another name.
  void alias(mlir::Value value, mlir::Value other) { number[value] = number.lookup(other); }
  void make(mlir::Value value) {
    const int64_t bytes = rowBytes(value.getType());
    int memory = -1;
    for (auto at = unused.begin(); at != unused.end() && memory < 0; ++at)
      if (program.values[*at].rowBytes == bytes) {
        memory = program.values[*at].memory;
        unused.erase(at);
        break;
      }
    number[value] = add({"", bytes, memory < 0 ? program.memories++ : memory});
  }
  /// Memory of a kernel's own, zero at first.
  int workspace(int64_t bytes) { return add({"", bytes, program.memories++}); }
  /// Nothing needs `value`, which is memory, any more.
  void release(int value) { unused.push_back(value); }

private:
  int add(StepValue value) {
    program.values.push_back(std::move(value));
    return static_cast<int>(program.values.size()) - 1;
  }
  StepProgram &program;
  llvm::DenseMap<mlir::Value, int> number;
  std::vector<int> unused;
};

} // namespace maskjit::cuda
