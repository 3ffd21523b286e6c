// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One layer of experts in MXFP4, NF4 or 16 bits, with random weights, its kernels on the GPU, and the same in float64
// on the host.
#pragma once
#include "DeviceProgram.h"
#include "Gpu.h"
#include "compiler/device/ExpertsTable.h"
#include "compiler/device/experts_args.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace maskjit::test {

/// Sizes of a layer; `dtype` of activations and biases.
struct ExpertsSizes {
  int hidden, intermediate, experts, top;
  DType dtype;
  WeightFormat format = WeightFormat::Mxfp4;
  bool nested = false; // NF4: absmax is quantized itself
};

/// Who goes where: `wild`: some experts get no token, some many, some slots hold -1.
struct Routing {
  std::vector<int> chosen;
  std::vector<float> scores;
};
Routing randomRouting(const ExpertsSizes &sizes, int tokens, bool wild, unsigned seed);
/// Values of the dtype as 16 bits, normally distributed.
std::vector<uint16_t> randomRows(const ExpertsSizes &sizes, int tokens, unsigned seed);

class ExpertsLayer {
public:
  /// Blocks and scales at random, one block in 64 all zero with scale byte 0; dense: uniform numbers; NF4: random codes
  /// and tables; drawn on the host.
  ExpertsLayer(const ExpertsSizes &sizes, unsigned seed);

  const ExpertsSizes sizes;
  device::Mxfp4Stack gateUp() const { return view(matrices[0]); }
  device::Mxfp4Stack down() const { return view(matrices[1]); }
  device::DenseStack denseGateUp() const { return denseView(matrices[0]); }
  device::DenseStack denseDown() const { return denseView(matrices[1]); }
  device::Nf4Stack nf4GateUp() const { return nf4View(matrices[0]); }
  device::Nf4Stack nf4Down() const { return nf4View(matrices[1]); }

  /// [which, hidden]: rows of the tokens `which`, from the packed bytes; h, and y where `roundY`, rounded as the
  /// kernels store them.
  std::vector<double> reference(const std::vector<uint16_t> &x, const Routing &routing, const std::vector<int> &which,
                                bool roundY) const;

  /// 16-bit values of the dtype as floats.
  std::vector<float> numbers(const std::vector<uint16_t> &bits) const;

  /// The product of pair p with the matrix of its expert, or with its transpose (`gradient`; without the bias), rows of
  /// x as the kernels read them: [which, ...]. `second`: down, else gate_up.
  std::vector<double> referenceProduct(const std::vector<uint16_t> &x, const std::vector<int> &chosen, int perRow,
                                       const std::vector<int> &which, bool second, bool gradient) const;

private:
  struct Matrix {
    int rows, columns;
    std::vector<uint8_t> blocks, scales;
    std::vector<uint16_t> weights, bias; // weights [experts, columns, rows] where they are dense
    std::vector<uint8_t> codes, absmaxCodes;
    std::vector<float> table, absmax, nestedTable, nestedAbsmax, nestedOffset;
    DType dtype;
    std::unique_ptr<DeviceBuffer> deviceBlocks, deviceScales, deviceWeights, deviceBias;
    std::unique_ptr<DeviceBuffer> deviceTable, deviceNestedTable, deviceNestedAbsmax, deviceNestedOffset;
    void fillNf4(int experts, bool nested, unsigned seed);
    void decodeNf4(int expert, int row, float *to) const;
    /// Row `row` of expert `expert` in numbers.
    void decode(int expert, int row, float *to) const;
  };
  static device::Mxfp4Stack view(const Matrix &m) {
    return {m.deviceBlocks->as<unsigned char>(), m.deviceScales->as<unsigned char>(), m.deviceBias->as<void>()};
  }
  static device::DenseStack denseView(const Matrix &m) {
    return {m.deviceWeights->as<void>(), m.deviceBias->as<void>()};
  }
  static device::Nf4Stack nf4View(const Matrix &m);
  double round(double value) const;
  Matrix matrices[2];
};

/// "gate_up 127 registers, ..., NVRTC 800 ms"
std::string describe(const DeviceProgram &program);

/// Compiled kernels of one class, with workspace for up to `tokens`.
class ExpertsKernels {
public:
  /// `arch`: what to compile for, spec.arch or a compute_NN; the error of NVRTC is thrown.
  ExpertsKernels(const ExpertsSpec &spec, int tokens, int experts, const std::string &arch);
  /// One call; `parts`: bits of the launches to make (all of a single launch).
  void run(const ExpertsLayer &layer, const void *x, const int *chosen, const float *scores, float *out, int tokens,
           bool accumulate = false, int parts = 15);
  void poisonWorkspace();
  std::string resources() const { return describe(program); }
  const ExpertsSchedule &schedule() const { return plan; }

private:
  ExpertsSpec spec;
  ExpertsSchedule plan;
  int experts;
  CudaKernel kernel;
  DeviceProgram program;
  std::unique_ptr<GpuModule> module;
  DeviceBuffer h, barrier, tiles, sorted, xPairs, y, shares;
};

/// One product, or the gradient of its input, of the class `spec.rows`, with workspace for `pairs`.
class ExpertsProduct {
public:
  ExpertsProduct(const ExpertsSpec &spec, int pairs, int experts, const std::string &arch);
  /// `blocks`: of a schedule whose blocks stay; 0: one a multiprocessor.
  void run(const device::Mxfp4Stack &matrix, const void *x, const int *chosen, void *y, int pairs, int perRow,
           int blocks = 0);
  void poisonWorkspace();
  std::string resources() const { return describe(program); }

private:
  ExpertsSpec spec;
  ExpertsSchedule plan;
  int experts;
  CudaKernel kernel;
  DeviceProgram program;
  std::unique_ptr<GpuModule> module;
  DeviceBuffer tiles, sorted, xPairs;
};

float bf16ToFloat(uint16_t bits);

} // namespace maskjit::test
