// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One product of the experts by itself, for training: what stands between the two is then a matter of the caller.
#pragma once
#include "experts/grouped.cuh"
#include "experts/route.cuh"

namespace maskjit::device {

/// Block 0 sorts the pairs; the others bring x into pair order. kRouteThreads threads, at least two blocks.
template <class S> __device__ void experts_linear_route(const ExpertsLinearArgs &a) {
  if (blockIdx.x == 0)
    sort_pairs<S::kTokens>(a.experts, a.pairs, a.expert_count, a.plan, a.sorted);
  else
    permute_pieces(a.x, a.x_pairs, static_cast<long long>(a.pairs / a.per_row) * (S::Shape::kHidden / 32), 1);
}

/// Grid (kMatrixRows / kRows rounded up, upper bound of tiles).
template <class S, class T, int kMatrixRows> __device__ void experts_linear(const ExpertsLinearArgs &a) {
  constexpr int kColumns = S::Shape::kHidden;
  experts_matrix<S, T, kMatrixRows, kColumns>(
      a.plan, a.matrix,
      [&](int p) {
        return static_cast<const u16 *>(a.x_pairs) + static_cast<long long>(a.sorted[p] / a.per_row) * kColumns;
      },
      [&](int p) { return static_cast<u16 *>(a.y) + static_cast<long long>(a.sorted[p]) * kMatrixRows; });
}

} // namespace maskjit::device
