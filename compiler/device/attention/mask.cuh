// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What generated masks are made of: ranges, tile classes, parameter reads and floor division.
//
// The compiler writes one struct a mask, `Mask`, and kernels ask it alone which pairs exist:
//
//   struct Mask {
//     static constexpr bool kIntervals;        // row() exists: the keys of a query are exactly one interval
//     static constexpr bool kColumnIntervals;  // column() exists: the queries of a key are exactly one interval
//     static constexpr bool kUsesHead;         // any function depends on the head; else heads share one object
//     static constexpr bool kHasScore;         // score() and score_grad() exist
//     static __device__ Mask at(const Param* params, int batch, int head);  // reads the parameters
//     __device__ bool attends(int q, int k) const;
//     __device__ Range keys(Range q) const;          // contains every key that any query of q attends
//     __device__ Range full_keys(Range q) const;     // every query of q attends every key of it
//     __device__ Range row(int q) const;             // if kIntervals
//     __device__ Range queries(Range k) const;       // contains every query that attends any key of k
//     __device__ Range full_queries(Range k) const;  // each query of it attends every key of k
//     __device__ Range column(int k) const;          // if kColumnIntervals
//     __device__ TileClass classify(Range q, Range k) const;
//     __device__ float score(float s, int q, int k) const;       // nats, after scaling; before the mask
//     __device__ float score_grad(float s, int q, int k) const;  // d score / d s
//   };
//
// Arguments are never empty ranges and lie in [0, 2^28]. Results may reach outside the tensor and may be empty
// (end <= begin): kernels clip. Where nothing is known: keys() and queries() return everything(), full_keys() and
// full_queries() nothing(), classify() kPartial. What is computed in 64 bits is returned through clamped().
#pragma once
#include "attention_args.h"

namespace maskjit::device {

/// Positions are below it; so are sums of two.
constexpr int kPositionLimit = 1 << 29;

/// Half-open.
struct Range {
  int begin, end;
  __device__ int last() const { return end - 1; }
  __device__ int size() const { return end - begin; }
  __device__ bool empty() const { return end <= begin; }
  __device__ bool contains(Range other) const { return begin <= other.begin && other.end <= end; }
  __device__ Range within(int lo, int hi) const { return {max(begin, lo), min(end, hi)}; }
};
__device__ inline Range everything() { return {-kPositionLimit, kPositionLimit}; }
__device__ inline Range nothing() { return {0, 0}; }
__device__ inline int clamped(long long position) {
  return static_cast<int>(
      min(max(position, -static_cast<long long>(kPositionLimit)), static_cast<long long>(kPositionLimit)));
}
__device__ inline Range clamped(long long begin, long long end) { return {clamped(begin), clamped(end)}; }

enum TileClass { kEmpty, kFull, kPartial };
/// From what a mask derives: does any pair of the tile attend, do all.
__device__ inline TileClass tile_class(bool any, bool all) { return !any ? kEmpty : all ? kFull : kPartial; }

// ---- parameters ----

__device__ inline int read_int(const Param &param, int batch) {
  return static_cast<const int *>(param.data)[batch * param.batch_stride];
}
__device__ inline float read_float(const Param &param, int batch) {
  return static_cast<const float *>(param.data)[batch * param.batch_stride];
}

/// One sequence's array; any index is allowed and is clamped to it.
template <class T> struct Array {
  const T *data;
  int size;

  template <class Index> __device__ T operator[](Index i) const {
    return data[min(max(i, Index(0)), static_cast<Index>(size - 1))];
  }
  /// The least i in [0, size] with array[i] >= value, of an array that does not descend.
  template <class Value> __device__ int search(Value value) const {
    int first = 0, count = size;
    while (count > 0) {
      const int half = count / 2;
      if (data[first + half] < value)
        first += half + 1, count -= half + 1;
      else
        count = half;
    }
    return first;
  }
};
__device__ inline Array<int> read_ints(const Param &param, int batch) {
  return {static_cast<const int *>(param.data) + batch * param.batch_stride, param.size};
}
__device__ inline Array<float> read_floats(const Param &param, int batch) {
  return {static_cast<const float *>(param.data) + batch * param.batch_stride, param.size};
}

// ---- integers, of int or long long ----

/// Quotient rounded towards minus infinity; by 0: 0.
template <class Int> __device__ Int floor_div(Int a, Int b) {
  if (b == 0)
    return 0;
  const Int quotient = a / b;
  return a % b != 0 && (a % b < 0) != (b < 0) ? quotient - 1 : quotient;
}
/// a - b * floor_div(a, b), of the sign of b; by 0: a.
template <class Int> __device__ Int floor_mod(Int a, Int b) {
  if (b == 0)
    return a;
  const Int remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

} // namespace maskjit::device
