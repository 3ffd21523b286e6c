// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decodes the rows [out, in] of a packed matrix a run of values at a time; panels are such runs, laid out either way.
#include "model/PackedPanels.h"
#include <algorithm>
#include <array>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <cmath>

namespace maskjit {
namespace {

/// Values [begin, begin + count) of one row. `begin` and `count` are multiples of 32, but for a row's end.
struct Mxfp4Row {
  const uint8_t *blocks, *scales;
  int64_t groups;

  void decode(int64_t row, int64_t begin, int64_t count, float *values) const {
    static const std::array<float, 256> powers = [] {
      std::array<float, 256> all;
      for (int byte = 0; byte < 256; ++byte)
        all[byte] = std::ldexp(1.f, byte - 127);
      return all;
    }();
    for (int64_t group = begin / 32; count > 0; ++group, count -= 32, values += 32) {
      const float scale = powers[scales[row * groups + group]];
      float table[16]; // exact: a value has one bit of fraction
      for (int i = 0; i < 16; ++i)
        table[i] = kMxfp4Values[i] * scale;
      const uint8_t *bytes = blocks + (row * groups + group) * 16;
      for (int i = 0; i < 16; ++i) {
        values[2 * i] = table[bytes[i] & 15];
        values[2 * i + 1] = table[bytes[i] >> 4];
      }
    }
  }
};

struct Nf4Row {
  const uint8_t *codes;
  std::array<float, 16> table;
  const float *absmax;        // fp32, or:
  const uint8_t *absmaxCodes; // null: absmax holds the scales
  const float *nestedTable, *nestedAbsmax;
  float nestedOffset;
  int64_t inputs, blockSize, nestedBlockSize;
  at::ScalarType rounding;

  float scaleOf(int64_t block) const {
    if (!absmaxCodes)
      return absmax[block];
    const float product = nestedTable[absmaxCodes[block]] * nestedAbsmax[block / nestedBlockSize];
    return product + nestedOffset;
  }
  float rounded(float value) const {
    return rounding == at::kBFloat16 ? float(c10::BFloat16(value))
           : rounding == at::kHalf   ? float(c10::Half(value))
                                     : value;
  }
  void decode(int64_t row, int64_t begin, int64_t count, float *values) const {
    int64_t at = row * inputs + begin;
    const int64_t end = at + count;
    while (at < end) { // a block of one scale
      const int64_t block = at / blockSize, stop = std::min(end, (block + 1) * blockSize);
      const float scale = scaleOf(block);
      float scaled[16];
      for (int i = 0; i < 16; ++i)
        scaled[i] = rounded(table[i] * scale);
      for (; at < stop; ++at) {
        const uint8_t byte = codes[at / 2];
        *values++ = scaled[at % 2 ? byte & 15 : byte >> 4];
      }
    }
  }
};

template <class Row> PanelReader panelsOf(Row decoder, int64_t inputs, int64_t outputs, bool transposed) {
  if (transposed) // a panel's row is a run of values
    return [=](int64_t column, int64_t width, float *panel) {
      for (int64_t row = 0; row < outputs; ++row)
        decoder.decode(row, column, width, panel + row * kPanelColumns);
    };
  return [=](int64_t column, int64_t width, float *panel) {
    constexpr int64_t kRun = 128;
    float values[kRun];
    for (int64_t j = 0; j < width; ++j)
      for (int64_t begin = 0; begin < inputs; begin += kRun) {
        const int64_t count = std::min(kRun, inputs - begin);
        decoder.decode(column + j, begin, count, values);
        for (int64_t k = 0; k < count; ++k)
          panel[(begin + k) * kPanelColumns + j] = values[k];
      }
  };
}

} // namespace

PanelReader packedPanels(const Matrix &weight, int64_t index, bool transposed) {
  const int64_t inputs = weight.inputs(), outputs = weight.outputs();
  if (const Mxfp4 *w = weight.mxfp4())
    return panelsOf(Mxfp4Row{w->blocks.const_data_ptr<uint8_t>() + index * w->blocks.stride(0),
                             w->scales.const_data_ptr<uint8_t>() + index * w->scales.stride(0), w->blocks.size(2)},
                    inputs, outputs, transposed);
  const Nf4 &w = *weight.nf4();
  const bool nested = w.nestedTable.defined();
  Nf4Row row{};
  row.codes = w.codes.const_data_ptr<uint8_t>() + index * w.codes.size(1);
  std::copy_n(w.table.const_data_ptr<float>(), 16, row.table.begin());
  row.inputs = inputs, row.blockSize = w.blockSize, row.nestedBlockSize = w.nestedBlockSize, row.rounding = w.rounding;
  if (nested) {
    row.absmaxCodes = w.absmax.const_data_ptr<uint8_t>() + index * w.absmax.size(1);
    row.nestedTable = w.nestedTable.const_data_ptr<float>();
    row.nestedAbsmax = w.nestedAbsmax.const_data_ptr<float>() + index * w.nestedAbsmax.size(1);
    row.nestedOffset = w.nestedOffset.const_data_ptr<float>()[index];
  } else {
    row.absmax = w.absmax.const_data_ptr<float>() + index * w.absmax.size(1);
  }
  return panelsOf(row, inputs, outputs, transposed);
}

} // namespace maskjit
