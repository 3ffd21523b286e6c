// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs instructions, in 64 or 128 bits as the ranges ask.
#include "compiler/interpreter/FunctionCode.h"
#include <cmath>

namespace maskjit::interpreter {

using frontend::Interval;
using frontend::Wide;

namespace {
template <class Int> union Register {
  Int integer;
  float real;
};

template <class Int> Int floorDiv(Int a, Int b) {
  if (b == 0)
    return 0;
  const Int quotient = a / b;
  return quotient - (quotient * b != a && (a < 0) != (b < 0));
}
template <class Int> Int floorMod(Int a, Int b) {
  if (b == 0)
    return a;
  const Int rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/// The first element of sequence `batch`.
template <class T> const T *sequence(const T *data, const BoundParam &param, int64_t batch) {
  return data + batch * param.batchStride;
}
template <class Int> int64_t clampIndex(Int index, int64_t size) {
  return index < 0 ? 0 : index >= size ? size - 1 : static_cast<int64_t>(index);
}

template <class Int>
void execute(const FunctionCode &code, const std::vector<BoundParam> &params, int64_t batch, Register<Int> *r) {
  for (const Instruction &in : code.instructions) {
    Register<Int> &out = r[in.result];
    const Register<Int> a = r[in.a], b = r[in.b];
    switch (in.op) {
    case Opcode::Constant:
      out.integer = in.value;
      break;
    case Opcode::ConstantReal:
      out.real = in.real;
      break;
    case Opcode::Param:
      out.integer = *sequence(params[in.value].integers, params[in.value], batch);
      break;
    case Opcode::ParamReal:
      out.real = *sequence(params[in.value].reals, params[in.value], batch);
      break;
    case Opcode::Load:
      out.integer =
          sequence(params[in.value].integers, params[in.value], batch)[clampIndex(a.integer, params[in.value].size)];
      break;
    case Opcode::LoadReal:
      out.real =
          sequence(params[in.value].reals, params[in.value], batch)[clampIndex(a.integer, params[in.value].size)];
      break;
    case Opcode::Search: {
      const int32_t *begin = sequence(params[in.value].integers, params[in.value], batch);
      out.integer = std::lower_bound(begin, begin + params[in.value].size, a.integer) - begin;
      break;
    }
    case Opcode::Size:
      out.integer = params[in.value].size;
      break;
    case Opcode::Add:
      out.integer = a.integer + b.integer;
      break;
    case Opcode::Sub:
      out.integer = a.integer - b.integer;
      break;
    case Opcode::Mul:
      out.integer = a.integer * b.integer;
      break;
    case Opcode::FloorDiv:
      out.integer = floorDiv(a.integer, b.integer);
      break;
    case Opcode::Mod:
      out.integer = floorMod(a.integer, b.integer);
      break;
    case Opcode::Min:
      out.integer = std::min(a.integer, b.integer);
      break;
    case Opcode::Max:
      out.integer = std::max(a.integer, b.integer);
      break;
    case Opcode::Eq:
      out.integer = a.integer == b.integer;
      break;
    case Opcode::Ne:
      out.integer = a.integer != b.integer;
      break;
    case Opcode::Lt:
      out.integer = a.integer < b.integer;
      break;
    case Opcode::Le:
      out.integer = a.integer <= b.integer;
      break;
    case Opcode::And:
      out.integer = a.integer & b.integer;
      break;
    case Opcode::Or:
      out.integer = a.integer | b.integer;
      break;
    case Opcode::Not:
      out.integer = a.integer == 0;
      break;
    case Opcode::Select:
      out.integer = a.integer != 0 ? b.integer : r[in.c].integer;
      break;
    case Opcode::ToReal:
      out.real = static_cast<float>(a.integer);
      break;
    case Opcode::AddReal:
      out.real = a.real + b.real;
      break;
    case Opcode::SubReal:
      out.real = a.real - b.real;
      break;
    case Opcode::MulReal:
      out.real = a.real * b.real;
      break;
    case Opcode::DivReal:
      out.real = a.real / b.real;
      break;
    case Opcode::NegReal:
      out.real = -a.real;
      break;
    case Opcode::MinReal:
      out.real = std::isnan(a.real) ? a.real : std::isnan(b.real) ? b.real : std::min(a.real, b.real);
      break;
    case Opcode::MaxReal:
      out.real = std::isnan(a.real) ? a.real : std::isnan(b.real) ? b.real : std::max(a.real, b.real);
      break;
    case Opcode::AbsReal:
      out.real = std::fabs(a.real);
      break;
    case Opcode::Tanh:
      out.real = std::tanh(a.real);
      break;
    case Opcode::Exp:
      out.real = std::exp(a.real);
      break;
    case Opcode::Log:
      out.real = std::log(a.real);
      break;
    case Opcode::Sqrt:
      out.real = std::sqrt(a.real);
      break;
    case Opcode::Pow:
      out.real = std::pow(a.real, b.real);
      break;
    case Opcode::LtReal:
      out.integer = a.real < b.real;
      break;
    case Opcode::LeReal:
      out.integer = a.real <= b.real;
      break;
    case Opcode::EqReal:
      out.integer = a.real == b.real;
      break;
    case Opcode::SelectReal:
      out.real = a.integer != 0 ? b.real : r[in.c].real;
      break;
    }
  }
}

/// Registers of this thread, reused from call to call.
template <class Int> Register<Int> *registersOf(const FunctionCode &code) {
  thread_local std::vector<Register<Int>> registers;
  if (registers.size() < code.registers)
    registers.resize(code.registers);
  return registers.data();
}

template <class Int>
Register<Int> *call(const FunctionCode &code, const std::vector<BoundParam> &params, const int64_t *coordinates) {
  Register<Int> *registers = registersOf<Int>(code);
  for (unsigned i = code.scoreFirst; i < code.arguments; ++i)
    registers[i].integer = coordinates[i - code.scoreFirst];
  execute<Int>(code, params, coordinates[0], registers);
  return registers;
}
} // namespace

void FunctionCode::run(const std::vector<BoundParam> &params, const int64_t *coordinates, int64_t *out) const {
  if (narrow) {
    const Register<int64_t> *registers = call<int64_t>(*this, params, coordinates);
    for (size_t i = 0; i < results.size(); ++i)
      out[i] = registers[results[i]].integer;
  } else {
    const Register<Wide> *registers = call<Wide>(*this, params, coordinates);
    for (size_t i = 0; i < results.size(); ++i) // bounds beyond 64 bits are as good as the nearest 64-bit number
      out[i] = static_cast<int64_t>(std::clamp<Wide>(registers[results[i]].integer, std::numeric_limits<int64_t>::min(),
                                                     std::numeric_limits<int64_t>::max()));
  }
}

float FunctionCode::runScore(const std::vector<BoundParam> &params, float score, const int64_t *coordinates) const {
  if (narrow) {
    registersOf<int64_t>(*this)[0].real = score;
    return call<int64_t>(*this, params, coordinates)[results[0]].real;
  }
  registersOf<Wide>(*this)[0].real = score;
  return call<Wide>(*this, params, coordinates)[results[0]].real;
}

// ---- ranges ----

/// Sums, differences and products at the corners; false where 128 bits overflow.
static bool corners(Opcode op, Interval a, Interval b, Interval &out) {
  Wide values[4];
  int n = 0;
  for (Wide x : {a.low, a.high})
    for (Wide y : {b.low, b.high}) {
      Wide &value = values[n++];
      if (op == Opcode::Add   ? __builtin_add_overflow(x, y, &value)
          : op == Opcode::Sub ? __builtin_sub_overflow(x, y, &value)
                              : __builtin_mul_overflow(x, y, &value))
        return false;
    }
  out = {*std::min_element(values, values + 4), *std::max_element(values, values + 4)};
  return true;
}

static Wide magnitude(Interval range) { return std::max(range.high, -range.low); }

Result<void> FunctionCode::checkRanges(const std::vector<BoundParam> &params) {
  constexpr int64_t kMaxCoordinate = int64_t(1) << 28;
  const Interval truth{0, 1};
  std::vector<Interval> ranges(registers);
  for (unsigned i = 0; i < arguments; ++i)
    ranges[i] = {0, kMaxCoordinate};
  narrow = true;
  for (const Instruction &in : instructions) {
    const Interval a = ranges[in.a], b = ranges[in.b];
    Interval &out = ranges[in.result];
    switch (in.op) {
    case Opcode::Constant:
      out = Interval::constant(in.value);
      break;
    case Opcode::Param:
    case Opcode::Load:
      out = params[in.value].range;
      break;
    case Opcode::Search:
    case Opcode::Size:
      out = {0, params[in.value].size};
      break;
    case Opcode::Add:
    case Opcode::Sub:
    case Opcode::Mul:
      if (!corners(in.op, a, b, out))
        return Error{"an integer of this mask can leave the 128 bits that the interpreter computes with; narrow the "
                     "ranges of its parameters"};
      break;
    case Opcode::FloorDiv:
      out = {-magnitude(a) - 1, magnitude(a) + 1};
      break;
    // By 0 the dividend stays.
    case Opcode::Mod:
      out = {-std::max(magnitude(a), magnitude(b)), std::max(magnitude(a), magnitude(b))};
      break;
    case Opcode::Min:
      out = frontend::least(a, b);
      break;
    case Opcode::Max:
      out = frontend::greatest(a, b);
      break;
    case Opcode::Select:
      out = {std::min(b.low, ranges[in.c].low), std::max(b.high, ranges[in.c].high)};
      break;
    default:
      out = truth;
      break; // truth values; of real numbers nothing is said
    }
    if (!out.fits64())
      narrow = false;
  }
  return {};
}

} // namespace maskjit::interpreter
