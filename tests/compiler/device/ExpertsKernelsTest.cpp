// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of experts against float64 from the same bytes: every class, sizes with and without remainders,
// uneven routing with empty slots, outputs and workspace poisoned, results that repeat bit for bit.
#include "ExpertsLayer.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::test;

struct Structure {
  ExpertsSizes sizes;
  const char *arch;                       // compute_NN: from PTX, on whatever card there is
  std::vector<int> counts = {1, 37, 100}; // of tokens of a single product
};

static const Structure kStructures[] = {
    {{960, 960, 8, 4, DType::BF16}, "sm_90a"},   // wgmma, and a single launch for few tokens
    {{640, 544, 8, 4, DType::BF16}, "sm_90a"},   // tiles of 8 tokens whose last step is whole, and a quarter
    {{1728, 1568, 4, 2, DType::BF16}, "sm_90a"}, // rows long enough for three warpgroups that share them
    {{128, 64, 8, 4, DType::BF16}, "sm_90a"},    // a small model: the single launch and the portable product
    {{160, 192, 2, 2, DType::BF16},
     "sm_90a",
     {20, 50, 90, 120, 140, 150, 170, 800}},      // every width of a gradient's tile
    {{160, 96, 3, 2, DType::BF16}, "compute_80"}, // halves of a stage
    {{192, 320, 5, 1, DType::F16}, "compute_80"},
    {{256, 160, 6, 3, DType::F16}, "compute_75"},
    {{960, 960, 8, 4, DType::BF16, WeightFormat::Dense}, "sm_90a"},    // whole tiles and rounds
    {{160, 96, 3, 2, DType::BF16, WeightFormat::Dense}, "compute_80"}, // less than a tile, less than a round
    {{1056, 224, 5, 1, DType::F16, WeightFormat::Dense}, "compute_80"},
    {{256, 160, 6, 3, DType::F16, WeightFormat::Dense}, "compute_75"},
    {{960, 960, 8, 4, DType::BF16, WeightFormat::Nf4}, "sm_90a"}, // whole rounds
    {{960, 960, 8, 4, DType::BF16, WeightFormat::Nf4, true}, "sm_90a"},
    {{192, 64, 3, 2, DType::BF16, WeightFormat::Nf4, true}, "compute_80"}, // less than a round
    {{1088, 256, 5, 1, DType::F16, WeightFormat::Nf4}, "compute_80"},
    {{256, 192, 6, 3, DType::F16, WeightFormat::Nf4, true}, "compute_75"},
};

/// ||got - want|| / ||want||; NaN where a value is none.
static double distance(const std::vector<float> &got, const std::vector<double> &want) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(error / norm);
}

class Experts : public testing::TestWithParam<Structure> {};

TEST_P(Experts, AreThoseOfFloat64) {
  if (!openGpu())
    GTEST_SKIP() << "no gpu";
  const Structure &structure = GetParam();
  const ExpertsSizes &sizes = structure.sizes;
  ExpertsSpec spec;
  spec.hidden = sizes.hidden, spec.intermediate = sizes.intermediate, spec.expertsPerToken = sizes.top;
  spec.dtype = sizes.dtype, spec.format = sizes.format;
  spec.arch = std::string("sm_") + (strchr(structure.arch, '_') + 1);
  const ExpertsLayer layer(sizes, 7);
  for (int rows : expertsRowClasses(spec)) {
    spec.rows = rows;
    ExpertsKernels kernels(spec, 300, sizes.experts, structure.arch);
    for (int tokens : {1, 3, 4, 7, 8, 33, 300}) {
      if (rows <= 8 && tokens > rows)
        continue;
      SCOPED_TRACE("class " + std::to_string(rows) + ", " + std::to_string(tokens) + " tokens");
      const std::vector<uint16_t> x = randomRows(sizes, tokens, 11 + tokens);
      const Routing routing = randomRouting(sizes, tokens, tokens > 1, 13 + tokens);
      std::vector<int> all(tokens);
      for (int t = 0; t < tokens; ++t)
        all[t] = t;
      const std::vector<double> want = layer.reference(x, routing, all, /*roundY=*/rows > 8);
      const DeviceBuffer dx(x), chosen(routing.chosen), scores(routing.scores);
      DeviceBuffer out(want.size() * sizeof(float));
      std::vector<float> first;
      for (int repeat = 0; repeat < 3; ++repeat) {
        kernels.poisonWorkspace();
        out.fill(0xFF);
        kernels.run(layer, dx.as<void>(), chosen.as<int>(), scores.as<float>(), out.as<float>(), tokens);
        synchronizeGpu();
        const std::vector<float> got = out.download<float>();
        if (first.empty())
          first = got;
        EXPECT_EQ(std::memcmp(first.data(), got.data(), got.size() * sizeof(float)), 0)
            << "differs on repeat " << repeat;
      }
      // What is stored in 16 bits may round to the neighbour of the reference's: 2^-9 (bf16) now and then.
      EXPECT_LE(distance(first, want), 1e-3);

      // Added to a residual: the same numbers on top.
      const std::vector<float> ones(want.size(), 1.f);
      out.upload(ones.data(), ones.size() * sizeof(float));
      kernels.run(layer, dx.as<void>(), chosen.as<int>(), scores.as<float>(), out.as<float>(), tokens, true);
      synchronizeGpu();
      std::vector<float> added = out.download<float>();
      for (float &value : added)
        value -= 1;
      EXPECT_LE(distance(added, want), 1e-3);
    }
  }
}

TEST_P(Experts, SingleProductsAndTheirGradients) {
  if (!openGpu())
    GTEST_SKIP() << "no gpu";
  const Structure &structure = GetParam();
  const ExpertsSizes &sizes = structure.sizes;
  if (sizes.format != WeightFormat::Mxfp4)
    return; // training multiplies other experts by LibTorch's products
  const ExpertsLayer layer(sizes, 9);
  for (bool second : {false, true})
    for (ExpertsKind kind : {ExpertsKind::Linear, ExpertsKind::Gradient}) {
      const bool gradient = kind == ExpertsKind::Gradient;
      ExpertsSpec spec;
      spec.kind = kind, spec.expertsPerToken = 1, spec.dtype = sizes.dtype;
      spec.hidden = second ? sizes.intermediate : sizes.hidden;
      spec.intermediate = second ? sizes.hidden : 2 * sizes.intermediate;
      spec.arch = std::string("sm_") + (strchr(structure.arch, '_') + 1);
      const int in = gradient ? spec.intermediate : spec.hidden, out = gradient ? spec.hidden : spec.intermediate;
      for (int rows : expertsRowClasses(spec)) {
        spec.rows = rows;
        ExpertsProduct kernels(spec, structure.counts.back() * sizes.top, sizes.experts, structure.arch);
        for (int tokens : structure.counts)
          for (int perRow : {1, sizes.top}) {
            SCOPED_TRACE(std::string(gradient ? "gradient" : "product") + (second ? " of down" : " of gate_up") +
                         ", class " + std::to_string(rows) + ", " + std::to_string(tokens) + " rows of " +
                         std::to_string(perRow));
            ExpertsSizes shape = sizes;
            shape.hidden = in, shape.top = perRow;
            const std::vector<uint16_t> x = randomRows(shape, tokens, 3 + tokens);
            Routing routing = randomRouting(shape, tokens, false, 5 + tokens);
            const int pairs = tokens * perRow;
            std::vector<int> all(pairs);
            for (int p = 0; p < pairs; ++p)
              all[p] = p;
            const std::vector<double> want = layer.referenceProduct(x, routing.chosen, perRow, all, second, gradient);
            const DeviceBuffer dx(x), chosen(routing.chosen);
            DeviceBuffer y(static_cast<size_t>(pairs) * out * 2);
            std::vector<uint16_t> first;
            for (int repeat = 0; repeat < 2; ++repeat) {
              y.fill(0xFF);
              kernels.poisonWorkspace();
              // Blocks that stay have several tiles each in the second run.
              kernels.run(second ? layer.down() : layer.gateUp(), dx.as<void>(), chosen.as<int>(), y.as<void>(), pairs,
                          perRow, repeat * 3);
              synchronizeGpu();
              const std::vector<uint16_t> got = y.download<uint16_t>();
              if (first.empty())
                first = got;
              EXPECT_EQ(first, got) << "differs on repeat " << repeat;
            }
            // The result is rounded once: half an ulp of bf16, of fp16, is at most 2^-9, 2^-12, of a value.
            EXPECT_LE(distance(layer.numbers(first), want), sizes.dtype == DType::BF16 ? 2.5e-3 : 4e-4);
          }
      }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Experts, testing::ValuesIn(kStructures), [](const auto &info) {
  const ExpertsSizes &s = info.param.sizes;
  return std::to_string(s.hidden) + "x" + std::to_string(s.intermediate) + "_top" + std::to_string(s.top) + "_" +
         (s.format == WeightFormat::Dense ? "dense_"
          : s.format == WeightFormat::Nf4 ? "nf4_"
                                          : "") +
         (s.nested ? "nested_" : "") + info.param.arch;
});
