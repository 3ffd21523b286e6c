// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hashes a function as the graph of terms that its result hangs on.
#include "compiler/frontend/Digest.h"
#include "dialects/mask/MaskDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace mlir;

namespace maskjit::frontend {

/// Of the format hashed here: another number where the same structure would get other bytes.
constexpr llvm::StringLiteral kDigestVersion = "maskjit mask 1";

using Hash = std::array<uint8_t, 16>;

namespace {
/// Bytes with their lengths, so that no two sequences of fields look alike.
class Hasher {
public:
  Hasher &add(StringRef text) {
    add(static_cast<int64_t>(text.size()));
    hasher.update(text);
    return *this;
  }
  Hasher &add(int64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i)
      bytes[i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
    hasher.update(bytes);
    return *this;
  }
  Hasher &add(const Hash &hash) {
    hasher.update(hash);
    return *this;
  }
  Hash finish() { return hasher.final<16>(); }

private:
  llvm::BLAKE3 hasher;
};
} // namespace

static std::string text(Attribute attr) {
  std::string out;
  llvm::raw_string_ostream stream(out);
  attr.print(stream);
  return out;
}

static Hash hashFunction(mask::FuncOp func) {
  llvm::StringMap<int64_t> positions;
  Hasher hasher;
  if (ArrayAttr params = func.getParamsAttr())
    for (Attribute each : params) {
      auto param = cast<mask::ParamAttr>(each);
      positions[param.getName().getValue()] = static_cast<int64_t>(positions.size());
      hasher.add(static_cast<int64_t>(param.getAxis())).add(param.getMin()).add(param.getMax());
      hasher.add(param.getIsStatic() | param.getIsSorted() << 1 | param.getIsFloat() << 2);
    }
  DenseMap<Value, Hash> values;
  Block &block = func.getBody().front();
  for (BlockArgument argument : block.getArguments())
    values[argument] = Hasher().add("argument").add(argument.getArgNumber()).finish();
  for (Operation &op : block) {
    Hasher term;
    term.add(op.getName().getStringRef());
    // A parameter is known by its position, whatever its name.
    for (NamedAttribute attr : op.getAttrs()) {
      term.add(attr.getName().getValue());
      auto name = dyn_cast<StringAttr>(attr.getValue());
      if (name && attr.getName() == "name")
        term.add(positions.lookup(name.getValue()));
      else
        term.add(text(attr.getValue()));
    }
    SmallVector<Hash> operands;
    for (Value operand : op.getOperands())
      operands.push_back(values.lookup(operand));
    if (op.hasTrait<OpTrait::IsCommutative>())
      llvm::sort(operands);
    for (const Hash &operand : operands)
      term.add(operand);
    const Hash hash = term.finish();
    for (OpResult result : op.getResults())
      values[result] = Hasher().add(hash).add(result.getResultNumber()).finish();
    if (isa<mask::ReturnOp>(op))
      hasher.add(hash);
  }
  return hasher.finish();
}

std::string structuralDigest(ModuleOp module) {
  Hasher hasher;
  hasher.add(kDigestVersion);
  for (auto func : module.getOps<mask::FuncOp>()) {
    // What a sibling is for: the name's part behind the mask's own.
    hasher.add(func.getSymName().drop_front(func.getMaskName().size()));
    hasher.add(hashFunction(func));
  }
  return llvm::toHex(hasher.finish(), /*LowerCase=*/true);
}

} // namespace maskjit::frontend
