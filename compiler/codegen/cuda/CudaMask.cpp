// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The struct Mask: its members are the parameters, its functions the siblings of the predicate.
#include "compiler/codegen/cuda/CudaMask.h"
#include "compiler/analysis/IntegerWidth.h"
#include "compiler/codegen/cuda/CudaFunction.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringSet.h"
#include <fmt/format.h>

using namespace mlir;

namespace maskjit::cuda {

static constexpr size_t kColumns = 116; // a line that is longer is continued

/// Breaks a line after an operator or comma in its second half: one outside the most parentheses, of these the last.
static std::string wrapped(std::string line, const std::string &indent) {
  std::string result;
  while (line.size() > kColumns) {
    size_t cut = std::string::npos;
    int depth = 0, least = INT_MAX;
    for (size_t i = 0; i < kColumns; ++i) {
      depth += (line[i] == '(' || line[i] == '{') - (line[i] == ')' || line[i] == '}');
      const llvm::StringRef rest = llvm::StringRef(line).drop_front(i);
      const size_t mark = rest.starts_with(", ") ? 1 : rest.starts_with(" && ") || rest.starts_with(" || ") ? 3 : 0;
      if (mark && i > kColumns / 2 && depth <= least) {
        cut = i + mark; // of the space that goes
        least = depth;
      }
    }
    if (cut == std::string::npos)
      break;
    result += line.substr(0, cut) + "\n";
    line = indent + "    " + line.substr(cut + 1);
  }
  return result + line + "\n";
}

namespace {
/// A function of the struct: where it is found, how it is declared, what it answers if it is not there.
struct Role {
  const char *suffix, *signature, *wideSignature;
  std::vector<std::string> arguments, wideArguments;
  const char *otherwise; // null: the function exists only where it is derived
};

const std::vector<Role> &roles() {
  static const std::vector<std::string> point = {"batch", "head", "q", "k"};
  static const std::vector<std::string> score = {"s", "batch", "head", "q", "k"};
  static const std::vector<std::string> ofQueries = {"batch", "head", "q.begin", "q.end"};
  static const std::vector<std::string> wideOfQueries = {"batch", "head", "(long long)q.begin", "(long long)q.end"};
  static const std::vector<std::string> ofKeys = {"batch", "head", "k.begin", "k.end"};
  static const std::vector<std::string> wideOfKeys = {"batch", "head", "(long long)k.begin", "(long long)k.end"};
  static const std::vector<std::string> ofTile = {"batch", "head", "q.begin", "q.end", "k.begin", "k.end"};
  static const std::vector<std::string> wideOfTile = {
      "batch", "head", "(long long)q.begin", "(long long)q.end", "(long long)k.begin", "(long long)k.end"};
  static const std::vector<std::string> row = {"batch", "head", "q"}, column = {"batch", "head", "k"};
  static const std::vector<Role> table = {
      {"", "bool attends(int q, int k)", "bool attends(long long q, long long k)", point, point, nullptr},
      {".keys", "Range keys(Range q)", "Range keys(Range q)", ofQueries, wideOfQueries, "everything()"},
      {".full_keys", "Range full_keys(Range q)", "Range full_keys(Range q)", ofQueries, wideOfQueries, "nothing()"},
      {".row", "Range row(int q)", "Range row(long long q)", row, row, nullptr},
      {".queries", "Range queries(Range k)", "Range queries(Range k)", ofKeys, wideOfKeys, "everything()"},
      {".full_queries", "Range full_queries(Range k)", "Range full_queries(Range k)", ofKeys, wideOfKeys, "nothing()"},
      {".column", "Range column(int k)", "Range column(long long k)", column, column, nullptr},
      {".classify", "TileClass classify(Range q, Range k)", "TileClass classify(Range q, Range k)", ofTile, wideOfTile,
       "kPartial"},
      {".score", "float score(float s, int q, int k)", "float score(float s, long long q, long long k)", score, score,
       nullptr},
      {".score_grad", "float score_grad(float s, int q, int k)", "float score_grad(float s, long long q, long long k)",
       score, score, nullptr},
  };
  return table;
}

class StructPrinter {
public:
  StructPrinter(ModuleOp module, llvm::StringRef name) : module(module), name(name) {}

  Result<MaskStruct> print() {
    predicate = module.lookupSymbol<mask::FuncOp>(name);
    if (!predicate)
      return Error{fmt::format("the module has no mask.func @{}", name.str())};
    std::string functions;
    for (const Role &role : roles())
      if (Result<void> printed = print(role, functions); !printed)
        return printed.error();
    MaskStruct result;
    result.usesHead = usesHead;
    result.intervals = find(".row") != nullptr, result.scores = find(".score") != nullptr;
    result.params = predicate.getParamsAttr() ? predicate.getParamsAttr().size() : 0;
    result.text =
        title() + "struct Mask {\n" +
        fmt::format("  static constexpr bool kIntervals = {}, kColumnIntervals = {}, kUsesHead = {}, kHasScore = {};\n",
                    result.intervals, find(".column") != nullptr, usesHead, result.scores) +
        members() + functions + "};\n";
    return result;
  }

private:
  mask::FuncOp find(const std::string &suffix) { return module.lookupSymbol<mask::FuncOp>(name.str() + suffix); }

  /// `// mask gpt_oss_sliding(q, k; window, q_offset), gpt_oss_sliding.mask:4`
  std::string title() {
    std::string text = fmt::format("// mask {}(", name.str());
    llvm::ListSeparator comma;
    static constexpr const char *coordinates[] = {"b", "h", "q", "k"};
    for (auto [argument, coordinate] : llvm::zip(predicate.getBody().getArguments(), coordinates))
      if (!argument.use_empty() || *coordinate == 'q' || *coordinate == 'k')
        text += std::string(llvm::StringRef(comma)) + coordinate;
    if (ArrayAttr params = predicate.getParamsAttr(); params && !params.empty()) {
      text += "; ";
      llvm::interleave(
          params, [&](Attribute each) { text += cast<mask::ParamAttr>(each).getName().getValue(); },
          [&] { text += ", "; });
    }
    text += ")";
    if (auto location = predicate.getLoc()->findInstanceOf<FileLineColLoc>())
      text += fmt::format(", {}:{}", location.getFilename().str(), location.getLine());
    return wrapped(text, "//");
  }

  /// Parameters that a function reads, batch and head if one asks for them, and `at`, which fills them.
  std::string members() {
    std::string declarations, values, lastType;
    auto add = [&](const std::string &type, const std::string &member, const std::string &value) {
      declarations +=
          type == lastType ? ", " + member : fmt::format("{}  {} {}", lastType.empty() ? "" : ";\n", type, member);
      values += (values.empty() ? "" : ", ") + value;
      lastType = type;
    };
    if (ArrayAttr params = predicate.getParamsAttr())
      for (auto [index, each] : llvm::enumerate(params)) {
        auto param = cast<mask::ParamAttr>(each);
        if (!read.contains(param.getName().getValue()))
          continue;
        const bool array = param.getAxis() != mask::Axis::None;
        const std::string element = param.getIsFloat() ? "float" : "int";
        add(array ? "Array<" + element + ">" : element, memberName(param.getName().getValue()),
            fmt::format("read_{}{}(params[{}], batch)", element, array ? "s" : "", index));
      }
    if (usesBatch)
      add("int", "batch", "batch");
    if (usesHead)
      add("int", "head", "head");
    if (!declarations.empty())
      declarations += ";\n";
    return declarations + "\n  static __device__ Mask at(const Param *params, int batch, int head) {\n" +
           wrapped("    return {" + values + "};", "    ") + "  }\n";
  }

  Result<void> print(const Role &role, std::string &out) {
    mask::FuncOp func = find(role.suffix);
    if (!func) {
      if (role.otherwise)
        out += fmt::format("  __device__ {} const {{ return {}; }}  // not derived\n", role.signature, role.otherwise);
      return {};
    }
    const FailureOr<unsigned> width = requiredWidth(func);
    if (failed(width))
      return Error{fmt::format("an integer of @{} may need more than 64 bits; narrow the ranges of the parameters",
                               func.getSymName().str())};
    const bool wide = *width > 32;
    Result<FunctionBody> body = printBody(func, *width, wide ? role.wideArguments : role.arguments);
    if (!body)
      return body.error();
    note(func);
    out += fmt::format("  __device__ {} const {{\n", wide ? role.wideSignature : role.signature);
    for (const std::string &statement : body->statements)
      out += wrapped("    " + statement, "    ");
    out += wrapped("    return " + value(role, body->results, wide) + ";", "    ") + "  }\n";
    return {};
  }

  static std::string value(const Role &role, const std::vector<Expression> &results, bool wide) {
    const llvm::StringRef signature = role.signature;
    if (signature.starts_with("Range"))
      return fmt::format(wide ? "clamped({}, {})" : "{{{}, {}}}", results[0].text, results[1].text);
    if (signature.starts_with("TileClass"))
      return fmt::format("tile_class({}, {})", results[0].text, results[1].text);
    return results[0].text;
  }

  /// Remembers what `func` reads.
  void note(mask::FuncOp func) {
    Block &block = func.getBody().front();
    const unsigned first = isa<FloatType>(block.getArgument(0).getType()) ? 1 : 0; // the score comes before
    usesBatch |= !block.getArgument(first).use_empty();
    usesHead |= !block.getArgument(first + 1).use_empty();
    func.walk([&](Operation *op) {
      if (auto name = op->getAttrOfType<StringAttr>("name"); name && !op->use_empty())
        read.insert(name.getValue());
    });
  }

  ModuleOp module;
  llvm::StringRef name;
  mask::FuncOp predicate;
  llvm::StringSet<> read;
  bool usesBatch = false, usesHead = false;
};
} // namespace

Result<MaskStruct> printMaskStruct(ModuleOp module, llvm::StringRef name) {
  return StructPrinter(module, name).print();
}

} // namespace maskjit::cuda
