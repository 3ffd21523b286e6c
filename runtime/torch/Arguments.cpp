// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The checks that come before any launch, each with what was expected, what came and what to do.
#include "runtime/torch/Arguments.h"
#include <cmath>

namespace maskjit::torch_ops {

namespace {
void checkFourDims(const at::Tensor &tensor, const char *name, const char *shape) {
  TORCH_CHECK(tensor.dim() == 4, "maskjit: ", name, " has ", tensor.dim(), " dimensions; expected ", shape);
}
void checkSameDevice(const at::Tensor &tensor, const char *name, const at::Tensor &q) {
  TORCH_CHECK(tensor.device() == q.device(), "maskjit: ", name, " is on ", tensor.device(), ", q on ", q.device(),
              "; move it there with .to(q.device)");
}
void checkUnitStride(const at::Tensor &tensor, const char *name) {
  TORCH_CHECK(tensor.size(-1) <= 1 || tensor.stride(-1) == 1, "maskjit: ", name, " has stride ", tensor.stride(-1),
              " in its last dimension; expected 1: call .contiguous()");
}

DType dtypeOf(const at::Tensor &tensor) {
  switch (tensor.scalar_type()) {
  case at::kFloat:
    return DType::F32;
  case at::kHalf:
    return DType::F16;
  default:
    return DType::BF16; // checkKinds has let nothing else through
  }
}

/// `values` of a scalar: 0-d or [B]; of an array: [n] or [B, n].
ParamValues valuesOf(const ParamInfo &info, const at::Tensor &tensor, int64_t batch) {
  const bool isScalar = info.axis == Axis::None;
  const int64_t ownDims = isScalar ? 0 : 1;
  const bool byBatch = tensor.dim() > ownDims;
  if (byBatch)
    TORCH_CHECK(tensor.size(0) == batch, "maskjit: parameter '", info.name, "' has shape ", tensor.sizes(),
                "; its first dimension is the batch, ", batch, " here");
  ParamValues values;
  values.data = tensor.const_data_ptr();
  values.batchStride = byBatch ? tensor.stride(0) : 0;
  if (!isScalar) {
    TORCH_CHECK(tensor.size(-1) > 0, "maskjit: parameter '", info.name, "' is an empty array");
    checkUnitStride(tensor, info.name.c_str());
    values.size = tensor.size(-1);
  }
  return values;
}

std::vector<ParamValues> paramValues(KnownMask &mask, const MaskCall &call, int64_t batch, c10::Device device) {
  const std::vector<ParamInfo> &infos = mask.params();
  std::vector<ParamValues> values;
  values.reserve(infos.size());
  for (size_t i = 0; i < call.params.size(); ++i)
    values.push_back(valuesOf(infos[i], call.params[i], batch));
  if (values.size() < infos.size()) {
    const int32_t *defaults = mask.defaults(device);
    for (size_t i = values.size(); i < infos.size(); ++i)
      values.push_back({defaults + i, 0, 1});
  }
  return values;
}

/// What does not depend on where the keys lie.
AttentionArgs commonArgs(KnownMask &mask, const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values,
                         const std::optional<at::Tensor> &sinks, const MaskCall &call) {
  checkUnitStride(q, "q");
  checkUnitStride(keys, "k");
  checkUnitStride(values, "v");
  AttentionArgs args;
  args.dtype = dtypeOf(q);
  args.batch = q.size(0);
  args.headsQ = q.size(1);
  args.lenQ = q.size(2);
  args.headDim = q.size(3);
  args.headsKv = keys.size(1);
  TORCH_CHECK(keys.sizes() == values.sizes(), "maskjit: k has shape ", keys.sizes(), ", v ", values.sizes(),
              "; expected the same");
  TORCH_CHECK(keys.size(3) == args.headDim, "maskjit: k has head dim ", keys.size(3), ", q ", args.headDim,
              "; expected the same");
  TORCH_CHECK(args.headsKv > 0 && args.headsQ % args.headsKv == 0, "maskjit: q has ", args.headsQ, " heads, k ",
              args.headsKv, "; expected a multiple");
  args.scale = static_cast<float>(call.scale.value_or(1 / std::sqrt(static_cast<double>(args.headDim))));
  args.q = viewOf(q);
  args.k = viewOf(keys);
  args.v = viewOf(values);
  if (sinks) {
    TORCH_CHECK(sinks->size(0) == args.headsQ, "maskjit: sinks has ", sinks->size(0), " entries, q ", args.headsQ,
                " heads; expected one a head");
    args.sinks = sinks->const_data_ptr<float>();
  }
  args.params = paramValues(mask, call, args.batch, q.device());
  return args;
}
} // namespace

TensorView viewOf(const at::Tensor &tensor) {
  return {const_cast<void *>(tensor.const_data_ptr()), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

std::optional<at::Tensor> sinksAsFloat(const std::optional<at::Tensor> &sinks) {
  if (!sinks || !sinks->defined())
    return std::nullopt;
  return sinks->to(at::kFloat).contiguous();
}

void checkKinds(const KnownMask &mask, const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values,
                const std::optional<at::Tensor> &sinks, at::TensorList params) {
  const auto type = q.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kHalf || type == at::kBFloat16, "maskjit: q is ", type,
              "; expected float32 (on the CPU), float16 or bfloat16");
  TORCH_CHECK(!q.is_cuda() || type != at::kFloat, "maskjit: q is float32 on ", q.device(),
              "; the CUDA kernels take float16 and bfloat16: convert q, k and v, or use the CPU");
  checkFourDims(q, "q", "[batch, query heads, queries, head dim]");
  const std::pair<const at::Tensor *, const char *> others[] = {{&keys, "k"}, {&values, "v"}};
  for (const auto &[tensor, name] : others) {
    checkFourDims(*tensor, name, "[batch or pages, key heads, keys, head dim]");
    TORCH_CHECK(tensor->scalar_type() == type, "maskjit: ", name, " is ", tensor->scalar_type(), ", q ", type,
                "; expected the same");
    checkSameDevice(*tensor, name, q);
  }
  if (sinks && sinks->defined()) {
    TORCH_CHECK(sinks->dim() == 1, "maskjit: sinks has ", sinks->dim(), " dimensions; expected [query heads]");
    TORCH_CHECK(sinks->scalar_type() == at::kFloat || sinks->scalar_type() == type, "maskjit: sinks is ",
                sinks->scalar_type(), "; expected float32 or q's ", type);
    checkSameDevice(*sinks, "sinks", q);
  }

  const std::vector<ParamInfo> &infos = mask.params();
  TORCH_CHECK(params.size() <= infos.size(), "maskjit: ", params.size(), " parameters given, mask '",
              mask.mask().name(), "' has ", infos.size());
  for (size_t i = params.size(); i < infos.size(); ++i)
    TORCH_CHECK(infos[i].defaultValue, "maskjit: ", params.size(), " parameters given; mask '", mask.mask().name(),
                "' needs '", infos[i].name, "' (number ", i + 1, "), which has no default");
  for (size_t i = 0; i < params.size(); ++i) {
    const ParamInfo &info = infos[i];
    const auto expected = info.isFloat ? at::kFloat : at::kInt;
    TORCH_CHECK(params[i].scalar_type() == expected, "maskjit: parameter '", info.name, "' is ",
                params[i].scalar_type(), "; expected ", expected, ": convert it with .to(",
                info.isFloat ? "torch.float32" : "torch.int32", ")");
    const int64_t dims = params[i].dim(), least = info.axis == Axis::None ? 0 : 1;
    TORCH_CHECK(dims == least || dims == least + 1, "maskjit: parameter '", info.name, "' has ", dims,
                " dimensions; expected ", least ? "[n] or [batch, n] for an array" : "none or [batch] for a scalar");
    checkSameDevice(params[i], info.name.c_str(), q);
  }
}

void checkPageKinds(const at::Tensor &q, const at::Tensor &pageTable, const at::Tensor &kvLen) {
  TORCH_CHECK(pageTable.scalar_type() == at::kInt && pageTable.dim() == 2, "maskjit: page_table is ",
              pageTable.scalar_type(), " of ", pageTable.dim(),
              " dimensions; expected int32 [batch, pages a sequence]");
  TORCH_CHECK(kvLen.scalar_type() == at::kInt && kvLen.dim() == 1, "maskjit: kv_len is ", kvLen.scalar_type(), " of ",
              kvLen.dim(), " dimensions; expected int32 [batch]");
  checkSameDevice(pageTable, "page_table", q);
  checkSameDevice(kvLen, "kv_len", q);
}

AttentionArgs makeArgs(KnownMask &mask, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                       const std::optional<at::Tensor> &sinks, const MaskCall &call) {
  AttentionArgs args = commonArgs(mask, q, k, v, sinks, call);
  TORCH_CHECK(k.size(0) == args.batch, "maskjit: k has batch ", k.size(0), ", q ", args.batch, "; expected the same");
  args.lenK = k.size(2);
  return args;
}

AttentionArgs makeCachedArgs(KnownMask &mask, const at::Tensor &q, const at::Tensor &kPages, const at::Tensor &vPages,
                             const at::Tensor &pageTable, const at::Tensor &kvLen,
                             const std::optional<at::Tensor> &sinks, const MaskCall &call) {
  AttentionArgs args = commonArgs(mask, q, kPages, vPages, sinks, call);
  const int64_t pageSize = kPages.size(2), pages = kPages.size(0), perSequence = pageTable.size(1);
  TORCH_CHECK(pageSize > 0 && (pageSize & (pageSize - 1)) == 0, "maskjit: pages of ", pageSize,
              " keys; expected a power of two");
  TORCH_CHECK(pageTable.size(0) == args.batch, "maskjit: page_table has ", pageTable.size(0), " rows, q batch ",
              args.batch, "; expected the same");
  TORCH_CHECK(kvLen.size(0) == args.batch, "maskjit: kv_len has ", kvLen.size(0), " entries, q batch ", args.batch,
              "; expected the same");
  checkUnitStride(pageTable, "page_table");
  checkUnitStride(kvLen, "kv_len");
  args.lenK = perSequence * pageSize;
  args.kvLen = kvLen.const_data_ptr<int32_t>();
  args.pages = {pageTable.const_data_ptr<int32_t>(), pageTable.stride(0), pageSize};
  if (q.is_cpu()) // on a GPU the values are not known here without waiting for it
    for (int64_t b = 0; b < args.batch; ++b) {
      const int64_t length = args.kvLen[b];
      TORCH_CHECK(length >= 0 && length <= args.lenK, "maskjit: kv_len of sequence ", b, " is ", length,
                  "; its page_table row of ", perSequence, " pages of ", pageSize, " keys holds 0 to ", args.lenK);
      for (int64_t i = 0; i * pageSize < length; ++i) {
        const int64_t page = args.pages.table[b * args.pages.tableStride + i];
        TORCH_CHECK(page >= 0 && page < pages, "maskjit: page_table of sequence ", b, " names page ", page,
                    "; there are ", pages);
      }
    }
  return args;
}

} // namespace maskjit::torch_ops
