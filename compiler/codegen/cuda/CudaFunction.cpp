// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions of the mask, arith and math dialects in C++.
#include "compiler/codegen/cuda/CudaFunction.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <fmt/format.h>

using namespace mlir;

namespace maskjit::cuda {

std::string memberName(llvm::StringRef param) {
  // Words of C++, of the struct Mask, and of compiler/device/attention/mask.cuh.
  static const llvm::StringSet<> taken = {
      "alignas",    "asm",       "auto",       "bool",      "break",      "case",         "catch",
      "char",       "class",     "const",      "constexpr", "continue",   "decltype",     "default",
      "delete",     "do",        "double",     "else",      "enum",       "explicit",     "export",
      "extern",     "false",     "float",      "for",       "friend",     "goto",         "if",
      "inline",     "int",       "long",       "mutable",   "namespace",  "new",          "noexcept",
      "nullptr",    "operator",  "private",    "protected", "public",     "register",     "return",
      "short",      "signed",    "sizeof",     "static",    "struct",     "switch",       "template",
      "this",       "throw",     "true",       "try",       "typedef",    "typename",     "union",
      "unsigned",   "using",     "virtual",    "void",      "volatile",   "while",        "at",
      "attends",    "keys",      "full_keys",  "row",       "queries",    "full_queries", "column",
      "classify",   "score",     "score_grad", "params",    "batch",      "head",         "q",
      "k",          "s",         "min",        "max",       "clamped",    "everything",   "nothing",
      "tile_class", "floor_div", "floor_mod",  "read_int",  "read_float", "read_ints",    "read_floats",
      "Mask",       "Range",     "Array",      "Param",     "TileClass",  "kIntervals",   "kColumnIntervals",
      "kUsesHead",  "kHasScore", "expf",       "exp2f",     "logf",       "log2f",        "sqrtf",
      "tanhf",      "fabsf",     "powf",       "fminf",     "fmaxf",      "copysignf",    "and",
      "or",         "not",       "xor",        "half",      "bf16"};
  return param.str() + (taken.contains(param) || param.starts_with("__") ? "_" : "");
}

namespace {
class BodyPrinter {
public:
  BodyPrinter(mask::FuncOp func, unsigned width, llvm::ArrayRef<std::string> arguments)
      : func(func), wide(width > 32), arguments(arguments) {}

  Result<FunctionBody> print() {
    Block &block = func.getBody().front();
    for (auto [argument, text] : llvm::zip(block.getArguments(), arguments))
      values[argument] = {text};
    if (ArrayAttr params = func.getParamsAttr())
      for (Attribute param : params)
        names.insert(memberName(cast<mask::ParamAttr>(param).getName().getValue()));
    for (Operation &op : block.without_terminator()) {
      if (op.use_empty())
        continue;
      const Expression expression = print(op);
      if (!unknown.empty())
        return Error{unknown};
      values[op.getResult(0)] = isShared(op) ? assign(op.getResult(0).getType(), expression) : expression;
    }
    for (Value result : block.getTerminator()->getOperands())
      body.results.push_back(values[result]);
    return std::move(body);
  }

private:
  /// Whether a temporary is worth its line: the value is used again and is not just read.
  static bool isShared(Operation &op) {
    return !op.getResult(0).hasOneUse() && !isa<mask::ConstantOp, mask::ParamOp, mask::SizeOp, arith::ConstantOp>(op);
  }

  Expression assign(Type type, const Expression &expression) {
    const bool truth = type.isInteger(1), real = isa<FloatType>(type);
    std::string name;
    do
      name = fmt::format("{}{}", truth ? 'c' : real ? 'x' : 't', temporaries++);
    while (names.contains(name));
    body.statements.push_back(fmt::format("const {} {} = {};",
                                          truth  ? "bool"
                                          : real ? "float"
                                          : wide ? "long long"
                                                 : "int",
                                          name, expression.text));
    return {name};
  }

  const Expression &of(Value value) { return values[value]; }

  static std::optional<int64_t> constantOf(Value value) {
    if (auto constant = value.getDefiningOp<mask::ConstantOp>())
      if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()); integer && value.getType().isIndex())
        return integer.getValue().getSExtValue();
    return std::nullopt;
  }

  Expression integer(int64_t value) const {
    const Binding binding = value < 0 ? Binding::Unary : Binding::Primary;
    if (wide) {
      if (value == INT64_MIN)
        return {"(-9223372036854775807LL - 1)"};
      return {fmt::format("{}LL", value), binding};
    }
    if (value == INT32_MIN)
      return {"(-2147483647 - 1)"};
    const bool readsBetter = value >= 65536 && llvm::isPowerOf2_64(static_cast<uint64_t>(value));
    return readsBetter ? Expression{fmt::format("(1 << {})", llvm::Log2_64(static_cast<uint64_t>(value)))}
                       : Expression{std::to_string(value), binding};
  }

  static Expression real(float value) {
    if (std::isnan(value))
      return {"__int_as_float(0x7fffffff)"};
    if (std::isinf(value))
      return {value > 0 ? "__int_as_float(0x7f800000)" : "__int_as_float(0xff800000)"};
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos)
      text += ".0";
    return {text + "f", std::signbit(value) ? Binding::Unary : Binding::Primary};
  }

  /// A left-associative operator. Sums are not regrouped: (a + b) + c and a + (b + c) differ in what may overflow.
  Expression infix(Value lhs, const char *sign, Value rhs, Binding binding, bool associative = false) {
    const auto tighter = static_cast<Binding>(static_cast<int>(binding) + 1);
    return {fmt::format("{} {} {}", of(lhs).within(binding), sign, of(rhs).within(associative ? binding : tighter)),
            binding};
  }

  Expression prefix(const char *sign, Value operand) {
    const Expression &inner = of(operand);
    const bool doubled = !inner.text.empty() && inner.text[0] == sign[0]; // `--x` is another operator
    return {sign + (doubled ? "(" + inner.text + ")" : inner.within(Binding::Unary)), Binding::Unary};
  }

  Expression call(const char *name, ValueRange operands) {
    std::string text = fmt::format("{}(", name);
    llvm::interleave(operands, [&](Value operand) { text += of(operand).text; }, [&] { text += ", "; });
    return {text + ")"};
  }

  /// A value of the C++ type int where the others are long long.
  Expression widened(Expression expression) const {
    return wide ? Expression{"(long long)" + expression.within(Binding::Unary), Binding::Unary} : expression;
  }

  /// The text of `end - 1` for a range's end, else nothing.
  std::optional<Expression> lastOf(Value value, int64_t less) const {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || less != 1)
      return std::nullopt;
    llvm::StringRef text = arguments[argument.getArgNumber()];
    if (!text.consume_back(".end"))
      return std::nullopt;
    return Expression{text.str() + ".last()", text.starts_with("(") ? Binding::Unary : Binding::Primary};
  }

  Expression sum(Value lhs, Value rhs) {
    if (constantOf(lhs) && !constantOf(rhs))
      std::swap(lhs, rhs);
    const std::optional<int64_t> constant = constantOf(rhs);
    if (constant && *constant < 0 && *constant != INT64_MIN) {
      if (std::optional<Expression> last = lastOf(lhs, -*constant))
        return *last;
      return {fmt::format("{} - {}", of(lhs).within(Binding::Sum), integer(-*constant).text), Binding::Sum};
    }
    return infix(lhs, "+", rhs, Binding::Sum);
  }

  Expression difference(Value lhs, Value rhs) {
    const std::optional<int64_t> constant = constantOf(rhs);
    if (constantOf(lhs) == int64_t(0))
      return prefix("-", rhs);
    if (constant)
      if (std::optional<Expression> last = lastOf(lhs, *constant))
        return *last;
    if (constant && *constant < 0 && *constant != INT64_MIN)
      return {fmt::format("{} + {}", of(lhs).within(Binding::Sum), integer(-*constant).text), Binding::Sum};
    return infix(lhs, "-", rhs, Binding::Sum);
  }

  Expression comparison(mask::CmpOp op) {
    static constexpr const char *signs[] = {"==", "!=", "<", "<=", ">", ">="};
    const mask::Predicate predicate = op.getPredicate();
    const bool equality = predicate == mask::Predicate::eq || predicate == mask::Predicate::ne;
    return infix(op.getLhs(), signs[static_cast<int>(predicate)], op.getRhs(),
                 equality ? Binding::Equality : Binding::Relation);
  }

  Expression comparison(arith::CmpFOp op) {
    const char *sign = llvm::StringSwitch<const char *>(arith::stringifyCmpFPredicate(op.getPredicate()))
                           .Cases({"oeq", "ueq"}, "==")
                           .Cases({"one", "une"}, "!=")
                           .Cases({"olt", "ult"}, "<")
                           .Cases({"ole", "ule"}, "<=")
                           .Cases({"ogt", "ugt"}, ">")
                           .Cases({"oge", "uge"}, ">=")
                           .Default(nullptr);
    return sign ? infix(op.getLhs(), sign, op.getRhs(), Binding::Relation) : refuse(op);
  }

  Expression conditional(Value condition, Value yes, Value no) {
    return {fmt::format("{} ? {} : {}", of(condition).within(Binding::Or), of(yes).within(Binding::Or),
                        of(no).within(Binding::Conditional)),
            Binding::Conditional};
  }

  Expression print(Operation &op) {
    return TypeSwitch<Operation *, Expression>(&op)
        .Case([&](mask::ConstantOp o) {
          auto value = cast<IntegerAttr>(o.getValue());
          return o.getType().isIndex() ? integer(value.getValue().getSExtValue())
                                       : Expression{value.getValue().isZero() ? "false" : "true"};
        })
        .Case([&](mask::ParamOp o) {
          const Expression member{memberName(o.getName())};
          return o.getType().isIndex() ? widened(member) : member;
        })
        .Case([&](mask::LoadOp o) {
          const Expression element{fmt::format("{}[{}]", memberName(o.getName()), of(o.getPosition()).text)};
          return o.getType().isIndex() ? widened(element) : element;
        })
        .Case([&](mask::SearchOp o) {
          return widened({fmt::format("{}.search({})", memberName(o.getName()), of(o.getValue()).text)});
        })
        .Case([&](mask::SizeOp o) { return widened({memberName(o.getName()) + ".size"}); })
        .Case([&](mask::AddOp o) { return sum(o.getLhs(), o.getRhs()); })
        .Case([&](mask::SubOp o) { return difference(o.getLhs(), o.getRhs()); })
        .Case([&](mask::MulOp o) {
          if (constantOf(o.getRhs()) == int64_t(-1))
            return prefix("-", o.getLhs());
          return infix(o.getLhs(), "*", o.getRhs(), Binding::Product);
        })
        .Case([&](mask::FloorDivOp o) { return call("floor_div", o->getOperands()); })
        .Case([&](mask::ModOp o) { return call("floor_mod", o->getOperands()); })
        .Case<mask::MinOp, arith::MinimumFOp, arith::MinNumFOp>(
            [&](Operation *o) { return call(isa<mask::MinOp>(o) ? "min" : "fminf", o->getOperands()); })
        .Case<mask::MaxOp, arith::MaximumFOp, arith::MaxNumFOp>(
            [&](Operation *o) { return call(isa<mask::MaxOp>(o) ? "max" : "fmaxf", o->getOperands()); })
        .Case([&](mask::CmpOp o) { return comparison(o); })
        .Case([&](mask::AndOp o) { return infix(o.getLhs(), "&&", o.getRhs(), Binding::And, true); })
        .Case([&](mask::OrOp o) { return infix(o.getLhs(), "||", o.getRhs(), Binding::Or, true); })
        .Case([&](mask::NotOp o) { return prefix("!", o.getOperand()); })
        .Case([&](mask::SelectOp o) { return conditional(o.getCondition(), o.getIfTrue(), o.getIfFalse()); })
        .Case([&](mask::ToFloatOp o) { return Expression{fmt::format("float({})", of(o.getOperand()).text)}; })
        .Case([&](arith::ConstantOp o) {
          auto value = dyn_cast<FloatAttr>(o.getValue());
          return value ? real(value.getValue().convertToFloat()) : refuse(o);
        })
        .Case([&](arith::AddFOp o) { return infix(o.getLhs(), "+", o.getRhs(), Binding::Sum); })
        .Case([&](arith::SubFOp o) { return infix(o.getLhs(), "-", o.getRhs(), Binding::Sum); })
        .Case([&](arith::MulFOp o) { return infix(o.getLhs(), "*", o.getRhs(), Binding::Product); })
        .Case([&](arith::DivFOp o) { return infix(o.getLhs(), "/", o.getRhs(), Binding::Product); })
        .Case([&](arith::NegFOp o) { return prefix("-", o.getOperand()); })
        .Case([&](arith::CmpFOp o) { return comparison(o); })
        .Case([&](arith::SelectOp o) { return conditional(o.getCondition(), o.getTrueValue(), o.getFalseValue()); })
        .Default([&](Operation *o) {
          const char *function = llvm::StringSwitch<const char *>(o->getName().getStringRef())
                                     .Case("math.tanh", "tanhf")
                                     .Case("math.exp", "expf")
                                     .Case("math.exp2", "exp2f")
                                     .Case("math.log", "logf")
                                     .Case("math.log2", "log2f")
                                     .Case("math.sqrt", "sqrtf")
                                     .Case("math.rsqrt", "rsqrtf")
                                     .Case("math.absf", "fabsf")
                                     .Case("math.powf", "powf")
                                     .Case("math.copysign", "copysignf")
                                     .Default(nullptr);
          return function ? call(function, o->getOperands()) : refuse(o);
        });
  }

  Expression refuse(Operation *op) {
    unknown =
        fmt::format("@{} uses {}, which has no CUDA form; write it with + - * / and tanh exp log sqrt abs min max",
                    func.getSymName().str(), op->getName().getStringRef().str());
    return {};
  }

  mask::FuncOp func;
  bool wide;
  llvm::ArrayRef<std::string> arguments;
  llvm::DenseMap<Value, Expression> values;
  llvm::StringSet<> names;
  int temporaries = 0;
  std::string unknown;
  FunctionBody body;
};
} // namespace

Result<FunctionBody> printBody(mask::FuncOp func, unsigned width, llvm::ArrayRef<std::string> arguments) {
  return BodyPrinter(func, width, arguments).print();
}

} // namespace maskjit::cuda
