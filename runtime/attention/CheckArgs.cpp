// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a call of attention must satisfy, on any target.
#include "runtime/attention/Attention.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace maskjit {
namespace {

constexpr int64_t kHeadDims[] = {32, 64, 96, 128, 256};
constexpr int64_t kMostPositions = int64_t(1) << 28, kMostBatch = 65536; // of the mask dialect's coordinates

template <class... T> Error error(fmt::format_string<T...> format, T &&...values) {
  return Error{"error: attention: " + fmt::format(format, std::forward<T>(values)...)};
}

Result<void> checkSize(const char *what, int64_t size, int64_t least, int64_t most) {
  if (size < least || size > most)
    return error("{} must lie in [{}, {}], got {}", what, least, most, size);
  return {};
}

Result<void> checkParams(const Mask &mask, const AttentionArgs &args) {
  const std::vector<ParamInfo> &infos = mask.params();
  if (args.params.size() != infos.size())
    return error("mask '{}' has {} parameters, got values of {}; fill in the defaults of those left out", mask.name(),
                 infos.size(), args.params.size());
  for (size_t i = 0; i < infos.size(); ++i) {
    const ParamValues &values = args.params[i];
    if (infos[i].isStatic)
      return error("'{}' of mask '{}' is static; give it a value with {{{}=...}}", infos[i].name, mask.name(),
                   infos[i].name);
    if (!values.data)
      return error("'{}' of mask '{}' has no values", infos[i].name, mask.name());
    if (infos[i].axis == Axis::None && values.size != 1)
      return error("'{}' of mask '{}' is a scalar, got {} values", infos[i].name, mask.name(), values.size);
    if (values.size < 1 || values.size > kMostPositions)
      return error("array '{}' of mask '{}' must have 1 to {} elements, got {}", infos[i].name, mask.name(),
                   kMostPositions, values.size);
    if (values.batchStride < 0)
      return error("'{}' of mask '{}' has a negative batch stride, {}", infos[i].name, mask.name(), values.batchStride);
  }
  return {};
}

} // namespace

Result<void> checkArgs(const Mask &mask, const AttentionArgs &args, bool backward) {
  for (Result<void> size :
       {checkSize("the batch", args.batch, 0, kMostBatch), checkSize("query heads", args.headsQ, 1, kMostBatch),
        checkSize("key heads", args.headsKv, 1, kMostBatch),
        checkSize("the number of queries", args.lenQ, 0, kMostPositions),
        checkSize("the number of keys", args.lenK, 0, kMostPositions)})
    if (!size)
      return size;
  if (args.headsQ % args.headsKv != 0)
    return error("query heads must be a multiple of key heads, got {} and {}", args.headsQ, args.headsKv);
  if (std::find(std::begin(kHeadDims), std::end(kHeadDims), args.headDim) == std::end(kHeadDims))
    return error("head dim must be 32, 64, 96, 128 or 256, got {}; pad q, k and v with zeros and pass the scale",
                 args.headDim);
  if (!std::isfinite(args.scale))
    return error("scale must be finite, got {}", args.scale);

  const bool anyQuery = args.batch > 0 && args.lenQ > 0, anyKey = args.batch > 0 && args.lenK > 0;
  struct Needed {
    const char *name;
    const void *data;
    bool needed;
  };
  const Needed tensors[] = {{"q", args.q.data, anyQuery},
                            {"k", args.k.data, anyKey},
                            {"v", args.v.data, anyKey},
                            {"out", args.out.data, anyQuery},
                            {"lse", args.lse, anyQuery},
                            {"dout", args.dout.data, backward && anyQuery},
                            {"dq", args.dq.data, backward && anyQuery},
                            {"dk", args.dk.data, backward && anyKey},
                            {"dv", args.dv.data, backward && anyKey},
                            {"sinks", args.sinks, backward && args.dsinks}};
  for (const Needed &tensor : tensors)
    if (tensor.needed && !tensor.data)
      return error("{} is missing", tensor.name);

  if (args.pages.table) {
    if (backward)
      return error("keys in pages have no backward; pass k and v as tensors");
    if (args.pages.pageSize < 1 || (args.pages.pageSize & (args.pages.pageSize - 1)) != 0)
      return error("the page size must be a power of two, got {}", args.pages.pageSize);
  }
  return checkParams(mask, args);
}

} // namespace maskjit
