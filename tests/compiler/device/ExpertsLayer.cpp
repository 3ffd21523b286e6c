// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ExpertsLayer.h"
#include "compiler/device/experts_maps.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <random>
#include <thread>

namespace maskjit::test {

namespace {
void parallel(int count, const std::function<void(int)> &work) {
  std::vector<std::thread> threads;
  const int most = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (int k = 0; k < most; ++k)
    threads.emplace_back([=] {
      for (int i = k; i < count; i += most)
        work(i);
    });
  for (std::thread &thread : threads)
    thread.join();
}

uint16_t toBits(double value, DType dtype) {
  const auto single = static_cast<float>(value);
  if (dtype == DType::F16) {
    const auto half = static_cast<_Float16>(single);
    uint16_t bits;
    std::memcpy(&bits, &half, 2);
    return bits;
  }
  uint32_t bits;
  std::memcpy(&bits, &single, 4);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
double fromBits(uint16_t bits, DType dtype) {
  if (dtype == DType::BF16)
    return bf16ToFloat(bits);
  _Float16 half;
  std::memcpy(&half, &bits, 2);
  return static_cast<float>(half);
}

double dot(const float *w, const double *x, int count) {
  double sum[4] = {};
  for (int i = 0; i < count; i += 4)
    for (int k = 0; k < 4; ++k)
      sum[k] += w[i + k] * x[i + k];
  return sum[0] + sum[1] + sum[2] + sum[3];
}
} // namespace

float bf16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

Routing randomRouting(const ExpertsSizes &sizes, int tokens, bool wild, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Routing routing;
  for (int t = 0; t < tokens; ++t) {
    std::vector<std::pair<float, int>> logits;
    for (int e = 0; e < sizes.experts; ++e)
      logits.push_back({-normal(random) - (wild && e < 2 ? 1.5f : 0.f) + (wild && e == 2 ? 1e9f : 0.f), e});
    std::sort(logits.begin(), logits.end());
    for (int s = 0; s < sizes.top; ++s) {
      routing.chosen.push_back(wild && t % 5 == 3 ? -1 : logits[s].second); // an empty slot of a batch
      routing.scores.push_back(std::exp(-logits[s].first) / 4);
    }
  }
  return routing;
}

std::vector<uint16_t> randomRows(const ExpertsSizes &sizes, int tokens, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<uint16_t> x(static_cast<size_t>(tokens) * sizes.hidden);
  for (uint16_t &value : x)
    value = toBits(normal(random), sizes.dtype);
  return x;
}

ExpertsLayer::ExpertsLayer(const ExpertsSizes &sizes, unsigned seed) : sizes(sizes) {
  const int shapes[2][2] = {{2 * sizes.intermediate, sizes.hidden}, {sizes.hidden, sizes.intermediate}};
  for (int i = 0; i < 2; ++i) {
    Matrix &m = matrices[i];
    m.rows = shapes[i][0], m.columns = shapes[i][1], m.dtype = sizes.dtype;
    const size_t rows = static_cast<size_t>(sizes.experts) * m.rows, scales = rows * m.columns / 32;
    const bool dense = sizes.format == WeightFormat::Dense, packed = sizes.format == WeightFormat::Mxfp4;
    m.bias.resize(rows);
    if (dense)
      m.weights.resize(rows * m.columns);
    else if (!packed)
      m.fillNf4(sizes.experts, sizes.nested, seed * 31 + static_cast<unsigned>(i));
    else
      m.blocks.resize(scales * 16), m.scales.resize(scales);
    parallel(sizes.experts, [&](int e) {
      std::mt19937_64 random(seed * 1000003ull + i * 1009 + e);
      const size_t each = scales / sizes.experts, numbers = rows * m.columns / sizes.experts;
      for (size_t k = e * numbers; dense && k < (e + 1) * numbers; ++k) // uniform, of about the same size as the others
        m.weights[k] = toBits((static_cast<double>(random() >> 11) / (1ull << 53) - .5) / 16, sizes.dtype);
      for (size_t b = e * each; packed && b < (e + 1) * each; ++b) {
        const uint64_t words[2] = {random(), random()};
        const bool zero = words[0] % 64 == 0;
        m.scales[b] = zero ? 0 : static_cast<uint8_t>(118 + words[1] % 5);
        std::memset(&m.blocks[b * 16], 0, 16);
        if (!zero)
          std::memcpy(&m.blocks[b * 16], words, 16);
      }
      for (int r = 0; r < m.rows; ++r)
        m.bias[static_cast<size_t>(e) * m.rows + r] =
            toBits(static_cast<double>(random() % 1024) / 1024 - .5, sizes.dtype);
    });
    if (dense) {
      m.deviceWeights = std::make_unique<DeviceBuffer>(m.weights);
    } else if (packed) {
      m.deviceBlocks = std::make_unique<DeviceBuffer>(m.blocks);
      m.deviceScales = std::make_unique<DeviceBuffer>(m.scales);
    }
    m.deviceBias = std::make_unique<DeviceBuffer>(m.bias);
  }
}

/// Codes at random; the table is any that rises, the same for all matrices, as a kernel has one.
void ExpertsLayer::Matrix::fillNf4(int experts, bool nested, unsigned seed) {
  std::mt19937_64 random(seed);
  const size_t weights = static_cast<size_t>(rows) * columns, blocks = weights / 64, many = (blocks + 255) / 256;
  auto uniform = [&](float low, float high) {
    return low + (high - low) * static_cast<float>(random() >> 40) / static_cast<float>(1 << 24);
  };
  codes.resize(experts * weights / 2);
  for (uint8_t &code : codes)
    code = static_cast<uint8_t>(random() >> 32);
  for (int k = 0; k < 16; ++k)
    table.push_back((static_cast<float>(k) - 7.f) / 8.f + .01f * std::sin(static_cast<float>(k)));
  deviceTable = std::make_unique<DeviceBuffer>(table);
  deviceBlocks = std::make_unique<DeviceBuffer>(codes);
  if (!nested) {
    for (size_t b = 0; b < experts * blocks; ++b)
      absmax.push_back(uniform(.01f, .05f));
    deviceScales = std::make_unique<DeviceBuffer>(absmax);
    return;
  }
  for (size_t b = 0; b < experts * blocks; ++b)
    absmaxCodes.push_back(static_cast<uint8_t>(random() >> 32));
  for (int k = 0; k < 256; ++k)
    nestedTable.push_back((static_cast<float>(k) - 128.f) / 128.f);
  for (size_t b = 0; b < experts * many; ++b)
    nestedAbsmax.push_back(uniform(.005f, .02f));
  for (int e = 0; e < experts; ++e)
    nestedOffset.push_back(uniform(.02f, .04f));
  deviceScales = std::make_unique<DeviceBuffer>(absmaxCodes);
  deviceNestedTable = std::make_unique<DeviceBuffer>(nestedTable);
  deviceNestedAbsmax = std::make_unique<DeviceBuffer>(nestedAbsmax);
  deviceNestedOffset = std::make_unique<DeviceBuffer>(nestedOffset);
}

/// As bitsandbytes: the absmax by two roundings to fp32, the weight rounded to the dtype.
void ExpertsLayer::Matrix::decodeNf4(int expert, int row, float *to) const {
  const size_t blocks = static_cast<size_t>(rows) * columns / 64, many = (blocks + 255) / 256;
  for (int c = 0; c < columns; ++c) {
    const size_t at = static_cast<size_t>(row) * columns + c, block = at / 64;
    float scale;
    if (nestedTable.empty()) {
      scale = absmax[expert * blocks + block];
    } else {
      const volatile float product =
          nestedTable[absmaxCodes[expert * blocks + block]] * nestedAbsmax[expert * many + block / 256];
      scale = product + nestedOffset[expert]; // not fused: the product is a value of its own
    }
    const uint8_t pair = codes[(expert * blocks * 64 + at) / 2];
    to[c] = static_cast<float>(fromBits(toBits(table[c % 2 ? pair & 15 : pair >> 4] * scale, dtype), dtype));
  }
}

device::Nf4Stack ExpertsLayer::nf4View(const Matrix &m) {
  auto numbers = [](const std::unique_ptr<DeviceBuffer> &buffer) {
    return buffer ? static_cast<const float *>(buffer->as<float>()) : nullptr;
  };
  return {{m.deviceBlocks->as<unsigned char>(), numbers(m.deviceTable), m.deviceScales->as<void>(),
           numbers(m.deviceNestedTable), numbers(m.deviceNestedAbsmax), numbers(m.deviceNestedOffset)},
          m.deviceBias->as<void>()};
}

void ExpertsLayer::Matrix::decode(int expert, int row, float *to) const {
  if (!codes.empty())
    return decodeNf4(expert, row, to);
  if (!weights.empty()) {
    const uint16_t *from = &weights[static_cast<size_t>(expert) * rows * columns + row];
    for (int c = 0; c < columns; ++c)
      to[c] = static_cast<float>(fromBits(from[static_cast<size_t>(c) * rows], dtype));
    return;
  }
  static const float values[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  const size_t first = (static_cast<size_t>(expert) * rows + row) * columns / 32;
  for (int b = 0; b < columns / 32; ++b) {
    const float scale = std::ldexp(1.f, scales[first + b] - 127);
    for (int k = 0; k < 16; ++k) {
      const uint8_t pair = blocks[(first + b) * 16 + k];
      to[b * 32 + 2 * k] = values[pair & 15] * scale;
      to[b * 32 + 2 * k + 1] = values[pair >> 4] * scale;
    }
  }
}

double ExpertsLayer::round(double value) const { return fromBits(toBits(value, sizes.dtype), sizes.dtype); }

std::vector<double> ExpertsLayer::reference(const std::vector<uint16_t> &x, const Routing &routing,
                                            const std::vector<int> &which, bool roundY) const {
  const int H = sizes.hidden, I = sizes.intermediate, top = sizes.top;
  const size_t count = which.size();
  std::vector<std::vector<int>> users(sizes.experts); // places in `which` * top + slot
  for (size_t k = 0; k < count; ++k)
    for (int s = 0; s < top; ++s)
      if (const int e = routing.chosen[which[k] * top + s]; e >= 0)
        users[e].push_back(static_cast<int>(k) * top + s);
  std::vector<double> rows(count * H), h(count * top * I), y(count * top * H), out(count * H);
  for (size_t k = 0; k < count; ++k)
    for (int i = 0; i < H; ++i)
      rows[k * H + i] = fromBits(x[static_cast<size_t>(which[k]) * H + i], sizes.dtype);
  constexpr int kParts = 16;
  parallel(sizes.experts * kParts, [&](int job) {
    const int e = job / kParts;
    std::vector<float> gate(H), up(H);
    for (int f = job % kParts; f < I && !users[e].empty(); f += kParts) {
      matrices[0].decode(e, 2 * f, gate.data());
      matrices[0].decode(e, 2 * f + 1, up.data());
      const uint16_t *bias = &matrices[0].bias[static_cast<size_t>(e) * 2 * I + 2 * f];
      for (int p : users[e]) {
        const double *row = &rows[static_cast<size_t>(p / top) * H];
        const double g = std::min(dot(gate.data(), row, H) + fromBits(bias[0], sizes.dtype), 7.);
        const double u = std::clamp(dot(up.data(), row, H) + fromBits(bias[1], sizes.dtype), -7., 7.);
        h[static_cast<size_t>(p) * I + f] = round(g / (1 + std::exp(-1.702 * g)) * (u + 1));
      }
    }
  });
  parallel(sizes.experts * kParts, [&](int job) {
    const int e = job / kParts;
    std::vector<float> weight(I);
    for (int f = job % kParts; f < H && !users[e].empty(); f += kParts) {
      matrices[1].decode(e, f, weight.data());
      const double bias = fromBits(matrices[1].bias[static_cast<size_t>(e) * H + f], sizes.dtype);
      for (int p : users[e]) {
        const double value = dot(weight.data(), &h[static_cast<size_t>(p) * I], I) + bias;
        y[static_cast<size_t>(p) * H + f] = roundY ? round(value) : value;
      }
    }
  });
  for (size_t p = 0; p < count * top; ++p) {
    const int pair = which[p / top] * top + static_cast<int>(p % top);
    for (int f = 0; f < H && routing.chosen[pair] >= 0; ++f)
      out[p / top * H + f] += routing.scores[pair] * y[p * H + f];
  }
  return out;
}

static size_t pairs(const ExpertsSpec &spec, int tokens) { return static_cast<size_t>(tokens) * spec.expertsPerToken; }

static ExpertsSchedule scheduleOf(const ExpertsSpec &spec) {
  Result<ExpertsSchedule> schedule = expertsSchedule(spec);
  if (!schedule)
    throw std::runtime_error(schedule.error().message);
  return *schedule;
}

ExpertsKernels::ExpertsKernels(const ExpertsSpec &spec, int tokens, int experts, const std::string &arch)
    : spec(spec), plan(scheduleOf(spec)), experts(experts), h(pairs(spec, tokens) * spec.intermediate * 2),
      barrier(4 * device::experts_dense_words(multiprocessors())),
      tiles(device::experts_plan_bytes(
          device::experts_tiles(static_cast<int>(pairs(spec, tokens)), experts, plan.tileTokens))),
      sorted(pairs(spec, tokens) * 4), xPairs(static_cast<size_t>(tokens) * spec.hidden * 2),
      y(pairs(spec, tokens) * spec.hidden * 2),
      shares(static_cast<size_t>(device::experts_dense_share_bytes(multiprocessors()))) {
  printExperts(kernel, spec, plan, "a test");
  Result<DeviceProgram> compiled = compileDevice(kernel.source, arch);
  if (!compiled)
    throw std::runtime_error(compiled.error().message);
  program = std::move(*compiled);
  module = std::make_unique<GpuModule>(program.image);
  barrier.fill(0);
}

void ExpertsKernels::poisonWorkspace() {
  for (DeviceBuffer *buffer : {&h, &xPairs, &y, &tiles, &sorted, &shares})
    buffer->fill(0xFF); // NaN in every 16-bit element
}

std::string describe(const DeviceProgram &program) {
  std::string text;
  for (const auto &[name, used] : program.kernels)
    text += fmt::format("{} {} registers{}, ", name, used.registers,
                        used.spillBytes ? fmt::format(" {} bytes spilled", used.spillBytes) : "");
  return text + fmt::format("NVRTC {:.0f} ms", program.milliseconds);
}

void ExpertsKernels::run(const ExpertsLayer &layer, const void *x, const int *chosen, const float *scores, float *out,
                         int tokens, bool accumulate, int parts) {
  auto inLine = [&](auto args, const auto &gateUp, const auto &down) {
    args.x = x, args.gate_up = gateUp, args.down = down;
    args.experts = chosen, args.weights = scores, args.out = out;
    args.tokens = tokens, args.accumulate = accumulate, args.alpha = 1.702f, args.limit = 7;
    args.h = h.as<void>(), args.barrier = barrier.as<unsigned>(), args.shares = shares.as<void>();
    const CudaKernel::Entry &e = kernel.entries[0];
    module->launch(e.name.c_str(), {unsigned(multiprocessors()), 1, 1}, e.threads, e.sharedBytes, {&args},
                   e.cooperative);
  };
  if (spec.format == WeightFormat::Dense)
    return inLine(device::ExpertsDenseArgs{}, layer.denseGateUp(), layer.denseDown());
  if (spec.format == WeightFormat::Nf4)
    return inLine(device::ExpertsNf4Args{}, layer.nf4GateUp(), layer.nf4Down());
  device::ExpertsArgs args{};
  args.x = x, args.gate_up = layer.gateUp(), args.down = layer.down();
  args.experts = chosen, args.weights = scores, args.out = out;
  args.tokens = tokens, args.expert_count = experts, args.accumulate = accumulate;
  args.alpha = 1.702f, args.limit = 7;
  args.h = h.as<void>(), args.barrier = barrier.as<unsigned>(), args.plan = tiles.as<device::ExpertPlan>();
  args.sorted = sorted.as<int>(), args.x_pairs = xPairs.as<void>(), args.y = y.as<void>();
  const bool overlaps = schedule().family == "Sm90"; // older code, PTX, has no dependent launches
  auto launch = [&](int entry, int x, int y) {
    const CudaKernel::Entry &e = kernel.entries[entry];
    module->launch(e.name.c_str(), {unsigned(x), unsigned(y), 1}, e.threads, e.sharedBytes, {&args}, e.cooperative,
                   overlaps && entry > 0);
  };
  if (plan.single)
    return launch(0, multiprocessors(), 1);
  const int grid = device::experts_tiles(static_cast<int>(pairs(spec, tokens)), experts, plan.tileTokens);
  const int permuting = device::ceil_div(tokens * (spec.hidden / 32), device::kRouteThreads);
  if (parts & 1)
    launch(0, 1 + std::min(permuting, multiprocessors() - 1), 1);
  TensorMapData maps[2];
  auto product = [&](int entry, int rows) {
    if (!plan.maps)
      return launch(entry, device::ceil_div(rows, plan.tileRows), grid);
    const CudaKernel::Entry &e = kernel.entries[entry];
    module->launch(e.name.c_str(), {unsigned(multiprocessors()), 1, 1}, e.threads, e.sharedBytes, {maps, &args},
                   e.cooperative, overlaps);
  };
  if (plan.maps) {
    maps[0] = encodeTensorMap(device::experts_map(args.gate_up, experts, 2 * spec.intermediate, spec.hidden), true);
    maps[1] = encodeTensorMap(device::experts_map(args.down, experts, spec.hidden, spec.intermediate), true);
  }
  if (parts & 2)
    product(1, 2 * spec.intermediate);
  if (parts & 4)
    product(2, spec.hidden);
  if (parts & 8)
    launch(3, device::ceil_div(tokens * (spec.hidden / 8), device::kCombineThreads), 1);
}

std::vector<float> ExpertsLayer::numbers(const std::vector<uint16_t> &bits) const {
  std::vector<float> values;
  for (uint16_t each : bits)
    values.push_back(static_cast<float>(fromBits(each, sizes.dtype)));
  return values;
}

std::vector<double> ExpertsLayer::referenceProduct(const std::vector<uint16_t> &x, const std::vector<int> &chosen,
                                                   int perRow, const std::vector<int> &which, bool second,
                                                   bool gradient) const {
  const Matrix &m = matrices[second];
  const int in = gradient ? m.rows : m.columns, out = gradient ? m.columns : m.rows;
  std::vector<double> y(which.size() * out);
  parallel(static_cast<int>(which.size()), [&](int k) {
    const int p = which[k], expert = chosen[p];
    std::vector<double> row(in);
    for (int i = 0; i < in; ++i)
      row[i] = fromBits(x[static_cast<size_t>(p / perRow) * in + i], sizes.dtype);
    std::vector<float> weights(m.columns);
    for (int r = 0; r < m.rows; ++r) {
      m.decode(expert, r, weights.data());
      if (!gradient)
        y[static_cast<size_t>(k) * out + r] = dot(weights.data(), row.data(), in) +
                                              fromBits(m.bias[static_cast<size_t>(expert) * m.rows + r], sizes.dtype);
      for (int c = 0; c < m.columns && gradient; ++c)
        y[static_cast<size_t>(k) * out + c] += weights[c] * row[r];
    }
  });
  return y;
}

ExpertsProduct::ExpertsProduct(const ExpertsSpec &spec, int pairs, int experts, const std::string &arch)
    : spec(spec), plan(scheduleOf(spec)), experts(experts),
      tiles(device::experts_plan_bytes(device::experts_tiles(pairs, experts, plan.tileTokens))), sorted(pairs * 4),
      xPairs(static_cast<size_t>(pairs) * spec.hidden * 2) {
  printExperts(kernel, spec, plan, "a test");
  Result<DeviceProgram> compiled = compileDevice(kernel.source, arch);
  if (!compiled)
    throw std::runtime_error(compiled.error().message);
  program = std::move(*compiled);
  module = std::make_unique<GpuModule>(program.image);
}

void ExpertsProduct::poisonWorkspace() {
  for (DeviceBuffer *buffer : {&tiles, &sorted, &xPairs})
    buffer->fill(0xFF);
}

void ExpertsProduct::run(const device::Mxfp4Stack &matrix, const void *x, const int *chosen, void *y, int pairs,
                         int perRow, int blocks) {
  device::ExpertsLinearArgs args{};
  args.x = x, args.matrix = matrix, args.experts = chosen, args.y = y;
  args.pairs = pairs, args.expert_count = experts, args.per_row = perRow;
  args.plan = tiles.as<device::ExpertPlan>(), args.sorted = sorted.as<int>(), args.x_pairs = xPairs.as<void>();
  const bool gradient = spec.kind == ExpertsKind::Gradient;
  const int permuting = device::ceil_div(pairs / perRow * (spec.hidden / 32), device::kRouteThreads);
  const int across = device::ceil_div(gradient ? spec.hidden : spec.intermediate, plan.tileRows);
  const CudaKernel::Entry &route = kernel.entries[0], &product = kernel.entries[1];
  module->launch(route.name.c_str(), {gradient ? 1 : 1 + unsigned(std::min(permuting, multiprocessors() - 1)), 1, 1},
                 route.threads, route.sharedBytes, {&args});
  const GpuModule::Grid grid =
      plan.stays
          ? GpuModule::Grid{unsigned(blocks ? blocks : multiprocessors()), 1, 1}
          : GpuModule::Grid{unsigned(across), unsigned(device::experts_tiles(pairs, experts, plan.tileTokens)), 1};
  module->launch(product.name.c_str(), grid, product.threads, product.sharedBytes, {&args});
}

} // namespace maskjit::test
