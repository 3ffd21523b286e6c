// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MaskEvaluator: parameters checked and bound, functions compiled once, points evaluated.
#include "compiler/frontend/MaskImpl.h"
#include "compiler/interpreter/FunctionCompiler.h"
#include <array>
#include <fmt/format.h>

namespace maskjit {
using interpreter::BoundParam;
using interpreter::FunctionCode;

namespace {
/// What the pipeline may derive, by the name's part behind the mask's.
enum Derived { Keys, FullKeys, Queries, FullQueries, Row, Column, Classify, kDerivedCount };
constexpr std::array<const char *, kDerivedCount> kDerivedNames = {"keys", "full_keys", "queries", "full_queries",
                                                                   "row",  "column",    "classify"};
} // namespace

struct MaskEvaluator::Impl {
  explicit Impl(const Mask &mask) : mask(mask) {}

  Mask mask;
  std::vector<BoundParam> params;
  std::vector<int32_t> integerDefaults; // what parameters without a value read
  std::vector<float> realDefaults;
  FunctionCode predicate;
  std::optional<FunctionCode> score;

  /// The derived functions, compiled when one is first asked for; absent where nothing was derived.
  const std::optional<FunctionCode> &derived(Derived which) const;

  mutable std::once_flag once;
  mutable std::array<std::optional<FunctionCode>, kDerivedCount> functions;
};

// ---- binding ----

/// Checks the values of one parameter and notes their range.
static Result<void> checkValues(const Mask &mask, const ParamInfo &info, BoundParam &bound, int64_t batch) {
  const int64_t sequences = bound.batchStride == 0 ? 1 : batch;
  if (info.isFloat)
    return {};
  bound.range = {info.max, info.min};
  for (int64_t b = 0; b < sequences; ++b) {
    const int32_t *values = bound.integers + b * bound.batchStride;
    for (int64_t i = 0; i < bound.size; ++i) {
      auto place = [&] {
        std::string text = info.axis == Axis::None ? "" : fmt::format(" at position {}", i);
        return sequences == 1 ? text : text + fmt::format(" of sequence {}", b);
      };
      if (values[i] < info.min || values[i] > info.max)
        return Error{fmt::format("parameter '{}' of mask '{}' lies in {}..{}, got {}{}", info.name, mask.name(),
                                 info.min, info.max, values[i], place())};
      if (info.isSorted && i > 0 && values[i] < values[i - 1])
        return Error{fmt::format("array '{}' of mask '{}' is declared sorted, but {} follows {}{}", info.name,
                                 mask.name(), values[i], values[i - 1], place())};
      bound.range = {std::min<frontend::Wide>(bound.range.low, values[i]),
                     std::max<frontend::Wide>(bound.range.high, values[i])};
    }
  }
  return {};
}

Result<MaskEvaluator> MaskEvaluator::bind(const Mask &mask, std::vector<ParamValues> values, int64_t batch) {
  const std::vector<ParamInfo> &params = mask.params();
  if (values.size() > params.size())
    return Error{
        fmt::format("mask '{}' has {} parameters, got values for {}", mask.name(), params.size(), values.size())};
  if (batch < 1)
    return Error{fmt::format("expected a batch of 1 or more, got {}", batch)};
  auto impl = std::make_shared<Impl>(mask);
  impl->integerDefaults.resize(params.size());
  impl->realDefaults.resize(params.size());
  values.resize(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    const ParamInfo &info = params[i];
    BoundParam bound;
    if (values[i].data) {
      if (values[i].size < 1)
        return Error{fmt::format("parameter '{}' of mask '{}' has {} elements, expected 1 or more", info.name,
                                 mask.name(), values[i].size)};
      bound.batchStride = values[i].batchStride;
      bound.size = info.axis == Axis::None ? 1 : values[i].size;
      (info.isFloat ? reinterpret_cast<const void *&>(bound.reals) : reinterpret_cast<const void *&>(bound.integers)) =
          values[i].data;
    } else if (info.defaultValue) {
      impl->integerDefaults[i] = info.isFloat ? 0 : static_cast<int32_t>(*info.defaultValue);
      impl->realDefaults[i] = static_cast<float>(*info.defaultValue);
      if (info.isFloat)
        bound.reals = &impl->realDefaults[i];
      else
        bound.integers = &impl->integerDefaults[i];
    } else {
      return Error{fmt::format("parameter '{}' of mask '{}' has no value and no default", info.name, mask.name())};
    }
    if (Result<void> checked = checkValues(mask, info, bound, batch); !checked)
      return checked.error();
    impl->params.push_back(bound);
  }

  mlir::ModuleOp module = mask.get().module.get();
  auto compile = [&](const std::string &name) -> Result<FunctionCode> {
    Result<FunctionCode> code = interpreter::compileFunction(module.lookupSymbol<mask::FuncOp>(name));
    if (code)
      if (Result<void> fits = code->checkRanges(impl->params); !fits)
        return fits.error();
    return code;
  };
  Result<FunctionCode> predicate = compile(mask.name());
  if (!predicate)
    return predicate.error();
  impl->predicate = std::move(*predicate);
  if (mask.hasScore()) {
    Result<FunctionCode> score = compile(mask.name() + ".score");
    if (!score)
      return score.error();
    impl->score = std::move(*score);
  }
  MaskEvaluator evaluator;
  evaluator.impl = std::move(impl);
  return evaluator;
}

// ---- points ----

bool MaskEvaluator::attends(int64_t b, int64_t h, int64_t q, int64_t k) const {
  const int64_t coordinates[] = {b, h, q, k};
  int64_t result = 0;
  impl->predicate.run(impl->params, coordinates, &result);
  return result != 0;
}

float MaskEvaluator::score(float s, int64_t b, int64_t h, int64_t q, int64_t k) const {
  const int64_t coordinates[] = {b, h, q, k};
  return impl->score ? impl->score->runScore(impl->params, s, coordinates) : s;
}

// ---- derived functions ----

const std::optional<FunctionCode> &MaskEvaluator::Impl::derived(Derived which) const {
  std::call_once(once, [&] {
    Result<mlir::ModuleOp> module = mask.get().derived();
    for (int i = 0; module && i < kDerivedCount; ++i)
      if (auto func = (*module).lookupSymbol<mask::FuncOp>(mask.name() + "." + kDerivedNames[i]))
        if (Result<FunctionCode> code = interpreter::compileFunction(func); code && code->checkRanges(params))
          functions[i] = std::move(*code);
  });
  return functions[which];
}

/// Nothing derived: every position.
constexpr Range kUnbounded = {0, mask::kMaxPosition};

static Range runRange(const FunctionCode &code, const std::vector<BoundParam> &params,
                      std::initializer_list<int64_t> arguments) {
  int64_t out[2];
  code.run(params, arguments.begin(), out);
  return {out[0], out[1]};
}

Range MaskEvaluator::keys(int64_t b, int64_t h, Range queries) const {
  const auto &code = impl->derived(Keys);
  return code ? runRange(*code, impl->params, {b, h, queries.begin, queries.end}) : kUnbounded;
}
Range MaskEvaluator::fullKeys(int64_t b, int64_t h, Range queries) const {
  const auto &code = impl->derived(FullKeys);
  return code ? runRange(*code, impl->params, {b, h, queries.begin, queries.end}) : Range{};
}
Range MaskEvaluator::queries(int64_t b, int64_t h, Range keys) const {
  const auto &code = impl->derived(Queries);
  return code ? runRange(*code, impl->params, {b, h, keys.begin, keys.end}) : kUnbounded;
}
Range MaskEvaluator::fullQueries(int64_t b, int64_t h, Range keys) const {
  const auto &code = impl->derived(FullQueries);
  return code ? runRange(*code, impl->params, {b, h, keys.begin, keys.end}) : Range{};
}
std::optional<Range> MaskEvaluator::row(int64_t b, int64_t h, int64_t q) const {
  const auto &code = impl->derived(Row);
  return code ? std::optional(runRange(*code, impl->params, {b, h, q})) : std::nullopt;
}
std::optional<Range> MaskEvaluator::column(int64_t b, int64_t h, int64_t k) const {
  const auto &code = impl->derived(Column);
  return code ? std::optional(runRange(*code, impl->params, {b, h, k})) : std::nullopt;
}

TileClass MaskEvaluator::classify(int64_t b, int64_t h, Range queries, Range keys) const {
  const auto &code = impl->derived(Classify);
  if (!code)
    return TileClass::Partial;
  const int64_t arguments[] = {b, h, queries.begin, queries.end, keys.begin, keys.end};
  int64_t anyAll[2];
  code->run(impl->params, arguments, anyAll);
  return anyAll[0] == 0 ? TileClass::Empty : anyAll[1] != 0 ? TileClass::Full : TileClass::Partial;
}

} // namespace maskjit
