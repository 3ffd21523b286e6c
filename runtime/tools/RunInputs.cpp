// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks tensors against each other and against the mask's parameters, each fault with its own message.
#include "runtime/tools/RunInputs.h"
#include "runtime/tools/TensorConversion.h"
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <set>

namespace maskjit {
namespace {

template <class... T> Error error(fmt::format_string<T...> format, T &&...values) {
  return Error{"error: " + fmt::format(format, std::forward<T>(values)...)};
}

class Reader {
public:
  Reader(const Mask &mask, const SafetensorsFile &file, const RunOptions &options)
      : mask(mask), file(file), options(options) {}

  Result<RunCall> read() {
    for (auto step : {&Reader::readSizes, &Reader::readTensors, &Reader::readSinks})
      if (Result<void> done = (this->*step)(); !done)
        return done.error();
    for (const ParamInfo &info : mask.params()) {
      auto values = readParam(info);
      if (!values)
        return values.error();
      call.args.params.push_back(*values);
    }
    for (const auto &[name, tensor] : file.tensors())
      if (!used.count(name))
        call.unread.push_back(name);
    return std::move(call);
  }

private:
  const TensorRecord *find(const std::string &name) {
    used.insert(name);
    return file.find(name);
  }

  template <class T> T *keep(const std::vector<T> &values) {
    auto &bytes = call.memory.emplace_back(std::max<size_t>(1, values.size() * sizeof(T)));
    std::memcpy(bytes.data(), values.data(), values.size() * sizeof(T));
    return reinterpret_cast<T *>(bytes.data());
  }
  void *room(int64_t elements, size_t bytes) {
    return call.memory.emplace_back(std::max<size_t>(1, elements * bytes)).data();
  }

  Result<void> readSizes() {
    const TensorRecord *q = find("q"), *k = find("k");
    if (!q || !k || !find("v"))
      return error("the inputs need tensors q, k and v; '{}' is missing", !q ? "q" : !k ? "k" : "v");
    if (q->shape.size() != 4 || k->shape.size() != 4)
      return error("q and k must be [B, H, S, D], got {} and {}", shapeText(q->shape), shapeText(k->shape));
    AttentionArgs &args = call.args;
    std::optional<DType> dtype = options.dtype ? options.dtype : dtypeNamed(q->dtype);
    if (!dtype)
      return error("q is {}; pass --dtype f32, f16 or bf16 to convert", q->dtype);
    args.dtype = *dtype;
    args.batch = q->shape[0], args.headsQ = q->shape[1], args.lenQ = q->shape[2], args.headDim = q->shape[3];
    args.headsKv = k->shape[1], args.lenK = k->shape[2];
    args.scale = options.scale ? float(*options.scale) : float(1 / std::sqrt(double(args.headDim)));
    call.backward = options.backward;
    return {};
  }

  TensorView view(void *data, int64_t heads, int64_t length) const {
    const int64_t dim = call.args.headDim;
    return {data, heads * length * dim, length * dim, dim};
  }

  Result<TensorView> readTensor(const char *name, int64_t heads, int64_t length) {
    const AttentionArgs &args = call.args;
    const TensorRecord *tensor = find(name);
    if (!tensor)
      return error("--backward needs tensor dout [B, Hq, Sq, D], the gradient of out");
    const std::vector<int64_t> expected{args.batch, heads, length, args.headDim};
    if (tensor->shape != expected)
      return error("{} must be {}, got {}", name, shapeText(expected), shapeText(tensor->shape));
    if (!options.dtype && tensor->dtype != safetensorsName(args.dtype))
      return error("{} is {} and q is {}; pass --dtype to convert both", name, tensor->dtype,
                   safetensorsName(args.dtype));
    auto bytes = toDType(name, *tensor, args.dtype);
    if (!bytes)
      return bytes.error();
    return view(keep(*bytes), heads, length);
  }

  Result<void> readTensors() {
    AttentionArgs &args = call.args;
    struct {
      const char *name;
      TensorView *view;
      int64_t heads, length;
      bool needed;
    } inputs[] = {{"q", &args.q, args.headsQ, args.lenQ, true},
                  {"k", &args.k, args.headsKv, args.lenK, true},
                  {"v", &args.v, args.headsKv, args.lenK, true},
                  {"dout", &args.dout, args.headsQ, args.lenQ, options.backward}};
    for (auto &input : inputs) {
      if (!input.needed)
        continue;
      auto tensor = readTensor(input.name, input.heads, input.length);
      if (!tensor)
        return tensor.error();
      *input.view = *tensor;
    }
    auto output = [&](int64_t heads, int64_t length) {
      return view(room(args.batch * heads * length * args.headDim, elementBytes(args.dtype)), heads, length);
    };
    args.out = output(args.headsQ, args.lenQ);
    args.lse = static_cast<float *>(room(args.batch * args.headsQ * args.lenQ, sizeof(float)));
    if (options.backward)
      args.dq = output(args.headsQ, args.lenQ), args.dk = output(args.headsKv, args.lenK),
      args.dv = output(args.headsKv, args.lenK);
    return {};
  }

  Result<void> readSinks() {
    const TensorRecord *sinks = find("sinks");
    if (!sinks)
      return {};
    if (sinks->shape != std::vector<int64_t>{call.args.headsQ})
      return error("sinks must be [{}], one a query head, got {}", call.args.headsQ, shapeText(sinks->shape));
    auto values = toFloats("sinks", *sinks);
    if (!values)
      return values.error();
    call.args.sinks = keep(*values);
    if (options.backward)
      call.args.dsinks = static_cast<float *>(room(call.args.headsQ, sizeof(float)));
    return {};
  }

  // ---- parameters ----

  /// Rows of `rows` hold the lengths of runs that add up to `length`: the number of its run for each position.
  static std::optional<std::vector<int32_t>> expandRuns(const std::vector<int32_t> &values, int64_t rows,
                                                        int64_t length) {
    std::vector<int32_t> ids;
    const int64_t runs = values.size() / rows;
    for (int64_t row = 0; row < rows; ++row) {
      int64_t sum = 0;
      for (int64_t run = 0; run < runs; ++run) {
        const int32_t size = values[row * runs + run];
        if (size < 0 || (sum += size) > length)
          return std::nullopt;
        ids.insert(ids.end(), size, int32_t(run));
      }
      if (sum != length)
        return std::nullopt;
    }
    return ids;
  }

  Result<ParamValues> readParam(const ParamInfo &info) {
    const TensorRecord *tensor = find(info.name);
    if (!tensor) {
      if (!info.defaultValue)
        return error("mask '{}' needs a tensor '{}'", mask.name(), info.name);
      if (info.isFloat)
        return ParamValues{keep(std::vector<float>{float(*info.defaultValue)}), 0, 1};
      return ParamValues{keep(std::vector<int32_t>{int32_t(*info.defaultValue)}), 0, 1};
    }
    const int64_t batch = call.args.batch;
    const std::vector<int64_t> &shape = tensor->shape;
    const bool array = info.axis != Axis::None;
    const size_t own = array ? 1 : 0; // dimensions of one sequence's values
    const bool perSequence = shape.size() == own + 1 && shape[0] == batch;
    if (shape.size() != own && !perSequence && !(!array && elementCount(shape) == 1))
      return error("'{}' must be {}, got {}", info.name,
                   array ? fmt::format("[n] or [{}, n]", batch)
                         : fmt::format("one number or [{}], one a sequence", batch),
                   shapeText(shape));
    ParamValues values;
    values.size = array ? shape.back() : 1;
    if (values.size < 1)
      return error("'{}' is empty, shape {}", info.name, shapeText(shape));
    if (info.isFloat) {
      auto floats = toFloats(info.name, *tensor);
      if (!floats)
        return floats.error();
      values.data = keep(*floats);
    } else {
      auto integers = toIntegers(info.name, *tensor, info.min, info.max);
      if (!integers)
        return integers.error();
      if (info.axis == Axis::Key && info.isSorted && values.size < call.args.lenK)
        if (auto ids = expandRuns(*integers, perSequence ? batch : 1, call.args.lenK)) {
          *integers = std::move(*ids);
          values.size = call.args.lenK;
        }
      values.data = keep(*integers);
    }
    values.batchStride = perSequence ? values.size : 0;
    return values;
  }

  const Mask &mask;
  const SafetensorsFile &file;
  const RunOptions &options;
  std::set<std::string> used;
  RunCall call;
};

} // namespace

Result<RunCall> readRunCall(const Mask &mask, const SafetensorsFile &file, const RunOptions &options) {
  return Reader(mask, file, options).read();
}

std::map<std::string, TensorRecord> RunCall::results() const {
  const AttentionArgs &a = args;
  auto tensor = [&](const TensorView &view, int64_t heads, int64_t length) {
    const std::vector<int64_t> shape{a.batch, heads, length, a.headDim};
    return TensorRecord{safetensorsName(a.dtype), shape, view.data, elementCount(shape) * elementBytes(a.dtype)};
  };
  std::map<std::string, TensorRecord> results;
  results["out"] = tensor(a.out, a.headsQ, a.lenQ);
  const std::vector<int64_t> rows{a.batch, a.headsQ, a.lenQ};
  results["lse"] = {"F32", rows, a.lse, elementCount(rows) * sizeof(float)};
  if (!backward)
    return results;
  results["dq"] = tensor(a.dq, a.headsQ, a.lenQ);
  results["dk"] = tensor(a.dk, a.headsKv, a.lenK);
  results["dv"] = tensor(a.dv, a.headsKv, a.lenK);
  if (a.dsinks)
    results["dsinks"] = {"F32", {a.headsQ}, a.dsinks, size_t(a.headsQ) * sizeof(float)};
  return results;
}

} // namespace maskjit
