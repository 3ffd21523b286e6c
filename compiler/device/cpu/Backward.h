// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Backward: probabilities are computed again from lse; one entry a gradient, each summed by one thread in a fixed
// order.
//   P = exp(score - lse)   dP = dout v^T   dS = P (dP - delta) score'   delta = rowsum(dout * out)
//   dv = P^T dout   dq = scale dS k   dk = scale dS^T q   dsink = -sum exp(sink - lse) delta
#pragma once
#include "compiler/device/cpu/Items.h"
#include "compiler/device/cpu/MatrixProduct.h"

namespace maskjit::cpu {

/// products becomes P and dP becomes scale * dS, for one row.
MASKJIT_INLINE void gradientRow(const Attention &args, const RowOfTile &at, float *products, float *dP, float lse,
                                float delta) {
  float plain[kKeyTile], factor[kKeyTile];
  scoresOf(args, at, products, products, plain);
  if (mask_has_score())
    for (int i = 0; i < kKeyTile; ++i)
      factor[i] = args.scale * mask_score_grad(args.params, plain[i], at.b, at.h, at.q, int32_t(at.k0) + i);
  else
    for (int i = 0; i < kKeyTile; ++i)
      factor[i] = args.scale;
  const float base = lse == -kInfinity ? 0.f : lse; // a row without keys: all scores are -inf
  for (int64_t i = 0; i < kKeyTile; i += kLanes) {
    Vec p = exp(load(products + i) - base);
    Vec gradient = p * (load(dP + i) - delta) * load(factor + i);
    store(products + i, p);
    store(dP + i, p == 0.f ? Vec{} : gradient); // whatever lies in keys that are not attended
  }
}

inline void backwardRows(const Attention &args, int64_t b, int64_t h) {
  for (int64_t q = 0; q < args.lenQ; ++q) {
    const char *dout = rowAt(args.dout, b, h, q), *out = rowAt(args.out, b, h, q);
    Vec sum{};
    for (int64_t d = 0; d < maskjit_head_dim(); d += kLanes)
      sum += loadElements(dout + d * elementBytes()) * loadElements(out + d * elementBytes());
    args.delta[(b * args.headsQ + h) * args.lenQ + q] = horizontalSum(sum);
  }
}

inline void backwardSink(const Attention &args, int64_t h) {
  double sum = 0;
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t q = 0; q < args.lenQ; ++q) {
      const int64_t row = (b * args.headsQ + h) * args.lenQ + q;
      const float weight = args.lse[row] == -kInfinity ? 0.f : exp(args.sinks[h] - args.lse[row]);
      sum -= double(weight) * args.delta[row];
    }
  args.dsinks[h] = float(sum);
}

/// dq of an item's rows.
inline void backwardQueries(const Attention &args, const Item &item) {
  const int64_t dim = maskjit_head_dim(), rows = item.rows(), count = keyCount(args, item.b);
  Scratch scratch{static_cast<char *>(args.scratch)};
  float *queries = scratch.take<float>(kItemRows * dim), *douts = scratch.take<float>(kItemRows * dim);
  float *sums = scratch.take<float>(kItemRows * dim);
  float *keys = scratch.take<float>(kKeyTile * dim), *keysT = scratch.take<float>(kKeyTile * dim);
  float *values = scratch.take<float>(kKeyTile * dim), *valuesT = scratch.take<float>(kKeyTile * dim);
  float *scores = scratch.take<float>(kRowTile * kKeyTile), *dP = scratch.take<float>(kRowTile * kKeyTile);
  Interval *intervals = scratch.take<Interval>(kItemRows);

  for (int64_t r = 0; r < rows; ++r) {
    copyRow(queries + r * dim, rowAt(args.q, item.b, item.head(r), item.query(r)));
    copyRow(douts + r * dim, rowAt(args.dout, item.b, item.head(r), item.query(r)));
    clearRow(sums + r * dim);
    if (mask_has_row() && count > 0)
      intervals[r] = clip(mask_row(args.params, item.b, item.head(r), item.query(r)), 0, count);
  }

  Interval all = count > 0 ? keysOf(args, item, count) : Interval{0, 0};
  for (int64_t k0 = all.begin & -kKeyTile; k0 < all.end; k0 += kKeyTile) {
    const int64_t low = max(k0, all.begin), high = min(k0 + kKeyTile, all.end);
    bool packed = false;
    for (int64_t r0 = 0; r0 < rows; r0 += kRowTile) {
      const int64_t r1 = min(r0 + kRowTile, rows);
      const int32_t tile = classifyRows(args, item, r0, r1, low, high);
      if (!(tile & kAny))
        continue;
      if (!packed) {
        packKeys(args, args.k, item.b, item.kvHead, k0, low, high, keys);
        transposeTile(keys, keysT);
        packKeys(args, args.v, item.b, item.kvHead, k0, low, high, values);
        transposeTile(values, valuesT);
        packed = true;
      }
      product({queries + r0 * dim, dim, 1}, keysT, kKeyTile, scores, kKeyTile, r1 - r0, kKeyTile, dim, false);
      product({douts + r0 * dim, dim, 1}, valuesT, kKeyTile, dP, kKeyTile, r1 - r0, kKeyTile, dim, false);
      const bool test = !(tile & kAll) || high - low < kKeyTile;
      for (int64_t r = r0; r < r1; ++r) {
        const int64_t row = item.rowIndex(args, r), offset = (r - r0) * kKeyTile;
        gradientRow(args, {item.b, item.head(r), item.query(r), k0, low, high, intervals[r], test}, scores + offset,
                    dP + offset, args.lse[row], args.delta[row]);
      }
      product({dP + (low - k0), kKeyTile, 1}, keys + (low - k0) * dim, dim, sums + r0 * dim, dim, r1 - r0, dim,
              high - low, true);
    }
  }

  for (int64_t r = 0; r < rows; ++r) {
    char *dq = rowAt(args.dq, item.b, item.head(r), item.query(r));
    for (int64_t d = 0; d < dim; d += kLanes)
      storeElements(dq + d * elementBytes(), load(sums + r * dim + d));
  }
}

/// dk and dv of the key tile at k0: the group's heads one after the other, the queries of each in ascending order.
inline void backwardKeys(const Attention &args, int64_t b, int64_t kvHead, int64_t k0) {
  const int64_t dim = maskjit_head_dim(), group = args.headsQ / args.headsKv;
  const int64_t low = k0, high = min(k0 + kKeyTile, keyCount(args, b));
  Scratch scratch{static_cast<char *>(args.scratch)};
  float *queries = scratch.take<float>(kRowTile * dim), *douts = scratch.take<float>(kRowTile * dim);
  float *keys = scratch.take<float>(kKeyTile * dim), *keysT = scratch.take<float>(kKeyTile * dim);
  float *values = scratch.take<float>(kKeyTile * dim), *valuesT = scratch.take<float>(kKeyTile * dim);
  float *dk = scratch.take<float>(kKeyTile * dim), *dv = scratch.take<float>(kKeyTile * dim);
  float *scores = scratch.take<float>(kRowTile * kKeyTile), *dP = scratch.take<float>(kRowTile * kKeyTile);

  for (int64_t i = 0; i < kKeyTile; ++i) {
    clearRow(dk + i * dim);
    clearRow(dv + i * dim);
  }
  if (low < high) {
    packKeys(args, args.k, b, kvHead, k0, low, high, keys);
    transposeTile(keys, keysT);
    packKeys(args, args.v, b, kvHead, k0, low, high, values);
    transposeTile(values, valuesT);
  }
  for (int64_t h = kvHead * group; low < high && h < (kvHead + 1) * group; ++h) {
    const Interval all = clip(mask_queries(args.params, b, h, low, high), 0, args.lenQ);
    for (int64_t tile0 = all.begin & -kRowTile; tile0 < all.end; tile0 += kRowTile) {
      const int64_t q0 = max(tile0, all.begin), q1 = min(tile0 + kRowTile, all.end), rows = q1 - q0;
      const int32_t tile = mask_classify(args.params, b, h, q0, q1, low, high);
      if (!(tile & kAny))
        continue;
      for (int64_t r = 0; r < rows; ++r) {
        copyRow(queries + r * dim, rowAt(args.q, b, h, q0 + r));
        copyRow(douts + r * dim, rowAt(args.dout, b, h, q0 + r));
      }
      product({queries, dim, 1}, keysT, kKeyTile, scores, kKeyTile, rows, kKeyTile, dim, false);
      product({douts, dim, 1}, valuesT, kKeyTile, dP, kKeyTile, rows, kKeyTile, dim, false);
      const bool test = !(tile & kAll) || high - low < kKeyTile;
      for (int64_t r = 0; r < rows; ++r) {
        Interval row{};
        if (mask_has_row() && test)
          row = clip(mask_row(args.params, b, h, q0 + r), 0, high);
        const int64_t index = (b * args.headsQ + h) * args.lenQ + q0 + r;
        gradientRow(args, {b, h, q0 + r, k0, low, high, row, test}, scores + r * kKeyTile, dP + r * kKeyTile,
                    args.lse[index], args.delta[index]);
      }
      product({scores, 1, kKeyTile}, douts, dim, dv, dim, kKeyTile, dim, rows, true);
      product({dP, 1, kKeyTile}, queries, dim, dk, dim, kKeyTile, dim, rows, true);
    }
  }

  for (int64_t k = k0; k < min(k0 + kKeyTile, args.lenK); ++k)
    for (int64_t d = 0; d < dim; d += kLanes) {
      storeElements(rowAt(args.dk, b, kvHead, k) + d * elementBytes(), load(dk + (k - k0) * dim + d));
      storeElements(rowAt(args.dv, b, kvHead, k) + d * elementBytes(), load(dv + (k - k0) * dim + d));
    }
}

} // namespace maskjit::cpu
