// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TestMasks.h"
#include <algorithm>
#include <cmath>

namespace maskjit::test {

int MaskValues::at(int param, int b, int i) const {
  return values[param][b * sizes[param] + std::clamp(i, 0, sizes[param] - 1)];
}

namespace {
bool inWindow(const MaskValues &v, int b, int q, int k) {
  const int window = v.at(0, b), offset = v.at(1, b), pad = v.at(2, b), p = q + offset;
  return 0 <= p - k && p - k < window && k >= pad && p >= pad;
}

const char *const kWindowFields = R"(
  int window, offset, pad;
  static __device__ Mask at(const Param *params, int batch, int) {
    return {read_int(params[0], batch), read_int(params[1], batch), read_int(params[2], batch)};
  }
  __device__ bool attends(int q, int k) const {
    const int p = q + offset;
    return 0 <= p - k && p - k < window && k >= pad && p >= pad;
  }
)";

const char *const kWindow = R"(
  static constexpr bool kIntervals = true, kColumnIntervals = true, kUsesHead = false, kHasScore = false;
  __device__ Range row(int q) const { return {max(q + offset - window + 1, pad), q + offset + 1}; }
  __device__ Range keys(Range q) const { return {max(q.begin + offset - window + 1, pad), q.last() + offset + 1}; }
  __device__ Range full_keys(Range q) const {
    return {max(q.last() + offset - window + 1, pad), q.begin + offset + 1};
  }
  __device__ Range column(int k) const { return k < pad ? nothing() : Range{k - offset, k - offset + window}; }
  __device__ Range queries(Range k) const { return {max(k.begin, pad) - offset, k.last() - offset + window}; }
  __device__ Range full_queries(Range k) const {
    return k.begin < pad ? nothing() : Range{k.last() - offset, k.begin - offset + window};
  }
  __device__ TileClass classify(Range q, Range k) const {
    const int lo = q.begin + offset - k.last(), hi = q.last() + offset - k.begin;
    return tile_class(hi >= 0 && lo < window && k.last() >= pad, 0 <= lo && hi < window && k.begin >= pad);
  }
)";

const char *const kNothingDerived = R"(
  __device__ Range keys(Range) const { return everything(); }
  __device__ Range full_keys(Range) const { return nothing(); }
  __device__ Range queries(Range) const { return everything(); }
  __device__ Range full_queries(Range) const { return nothing(); }
  __device__ TileClass classify(Range, Range) const { return kPartial; }
)";

const char *const kGlobal = R"(
  static constexpr bool kIntervals = false, kColumnIntervals = false, kUsesHead = false, kHasScore = false;
  int window, offset;
  static __device__ Mask at(const Param *params, int batch, int) {
    return {read_int(params[0], batch), read_int(params[1], batch)};
  }
  __device__ bool attends(int q, int k) const {
    const int d = q + offset - k;
    return d >= 0 && (d < window || k < window);
  }
  __device__ Range keys(Range q) const { return {0, q.last() + offset + 1}; }
  __device__ Range full_keys(Range q) const { return {0, min(window, q.begin + offset + 1)}; }
  __device__ Range queries(Range k) const { return {k.begin - offset, k.begin < window ? kPositionLimit : k.last() - offset + window}; }
  __device__ Range full_queries(Range k) const { return {k.last() - offset, k.last() < window ? kPositionLimit : k.begin - offset + window}; }
  __device__ TileClass classify(Range q, Range k) const {
    const int lo = q.begin + offset - k.last(), hi = q.last() + offset - k.begin;
    return tile_class(hi >= 0 && (lo < window || k.begin < window), lo >= 0 && (hi < window || k.last() < window));
  }
)";

const char *const kDocuments = R"(
  static constexpr bool kIntervals = true, kColumnIntervals = false, kUsesHead = false, kHasScore = true;
  Array<int> documents;
  static __device__ Mask at(const Param *params, int batch, int) { return {read_ints(params[0], batch)}; }
  __device__ bool attends(int q, int k) const { return k <= q && documents[k] == documents[q]; }
  __device__ Range row(int q) const { return {documents.search(documents[q]), q + 1}; }
  __device__ Range keys(Range q) const { return {documents.search(documents[q.begin]), q.last() + 1}; }
  __device__ Range full_keys(Range q) const { return {documents.search(documents[q.last()]), q.begin + 1}; }
  __device__ Range queries(Range k) const { return {k.begin, documents.search(documents[k.last()] + 1)}; }
  __device__ Range full_queries(Range k) const {
    return documents[k.begin] == documents[k.last()] ? Range{k.last(), documents.search(documents[k.begin] + 1)} : nothing();
  }
  __device__ TileClass classify(Range q, Range k) const {
    return tile_class(k.begin <= q.last(), false);
  }
  __device__ float score(float s, int, int) const { return 20.f * tanhf(s / 20.f); }
  __device__ float score_grad(float s, int, int) const { const float t = tanhf(s / 20.f); return 1.f - t * t; }
)";

const char *const kHead = R"(
  static constexpr bool kIntervals = true, kColumnIntervals = true, kUsesHead = true, kHasScore = true;
  int window, offset;
  float slope;
  static __device__ Mask at(const Param *params, int batch, int head) {
    return {read_int(params[0], batch) * (head + 1), read_int(params[1], batch), exp2f(-0.5f * (head + 1))};
  }
  __device__ bool attends(int q, int k) const { const int d = q + offset - k; return 0 <= d && d < window; }
  __device__ Range row(int q) const { return {q + offset - window + 1, q + offset + 1}; }
  __device__ Range keys(Range q) const { return {q.begin + offset - window + 1, q.last() + offset + 1}; }
  __device__ Range full_keys(Range q) const { return {q.last() + offset - window + 1, q.begin + offset + 1}; }
  __device__ Range column(int k) const { return {k - offset, k - offset + window}; }
  __device__ Range queries(Range k) const { return {k.begin - offset, k.last() - offset + window}; }
  __device__ Range full_queries(Range k) const { return {k.last() - offset, k.begin - offset + window}; }
  __device__ TileClass classify(Range q, Range k) const {
    const int lo = q.begin + offset - k.last(), hi = q.last() + offset - k.begin;
    return tile_class(hi >= 0 && lo < window, 0 <= lo && hi < window);
  }
  __device__ float score(float s, int q, int k) const { return s - slope * static_cast<float>(q + offset - k); }
  __device__ float score_grad(float, int, int) const { return 1.f; }
)";

std::string structure(std::string body) { return "struct Mask {" + body + "};\n"; }
constexpr double kSoftcap = 20;
} // namespace

const TestMask &windowMask() {
  static const TestMask mask = {
      "window", structure(std::string(kWindowFields) + kWindow),
      3,        [](const MaskValues &v, int b, int, int q, int k) { return inWindow(v, b, q, k); },
      nullptr,  nullptr};
  return mask;
}

const TestMask &opaqueWindowMask() {
  static const TestMask mask = {
      "opaque",
      structure("static constexpr bool kIntervals = false, kColumnIntervals = false, kUsesHead = false, kHasScore = "
                "false;\n" +
                std::string(kWindowFields) + kNothingDerived),
      3,
      windowMask().attends,
      nullptr,
      nullptr};
  return mask;
}

const TestMask &globalMask() {
  static const TestMask mask = {"global",
                                structure(kGlobal),
                                2,
                                [](const MaskValues &v, int b, int, int q, int k) {
                                  const int window = v.at(0, b), d = q + v.at(1, b) - k;
                                  return d >= 0 && (d < window || k < window);
                                },
                                nullptr,
                                nullptr};
  return mask;
}

const TestMask &documentsMask() {
  static const TestMask mask = {
      "documents",
      structure(kDocuments),
      1,
      [](const MaskValues &v, int b, int, int q, int k) { return k <= q && v.at(0, b, k) == v.at(0, b, q); },
      [](double s, int, int, int, int) { return kSoftcap * std::tanh(s / kSoftcap); },
      [](double s, int, int, int, int) {
        const double t = std::tanh(s / kSoftcap);
        return 1 - t * t;
      }};
  return mask;
}

const TestMask &headMask() {
  static const TestMask mask = {
      "head", structure(kHead), 2,
      [](const MaskValues &v, int b, int h, int q, int k) {
        const int d = q + v.at(1, b) - k;
        return 0 <= d && d < v.at(0, b) * (h + 1);
      },
      // The test keeps this mask's offset at 0, which the distance here takes for granted.
      [](double s, int, int h, int q, int k) { return s - std::exp2(-0.5 * (h + 1)) * (q - k); },
      [](double, int, int, int, int) { return 1.0; }};
  return mask;
}

} // namespace maskjit::test
