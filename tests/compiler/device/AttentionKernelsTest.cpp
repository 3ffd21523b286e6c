// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The portable kernels on a GPU against float64: masks, dtypes, head dims, layouts, pages, dead rows, garbage outside.
// Each error is held against that of exact arithmetic with the roundings which 16-bit operands force.
#include "DeviceProgram.h"
#include "KernelFile.h"
#include "TensorLayout.h"
#include <atomic>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace maskjit::test {
namespace {

// ---- what is compiled ----

struct Structure {
  const TestMask *mask;
  DType dtype;
  int headDim, group;
  const char *arch;   // whose schedules
  const char *target; // for NVRTC: PTX of an older card; "own": this card's code
  std::string name() const {
    return fmt::format("{}_{}_d{}_group{}_{}_as_{}", mask->name, dtype == DType::BF16 ? "bf16" : "fp16", headDim, group,
                       arch, target);
  }
  std::string nvrtcTarget() const {
    return target == std::string("own") ? fmt::format("sm_{}", computeCapability()) : target;
  }
  /// Whether the GPU at hand runs it.
  bool runs() const {
    const int capability = computeCapability(), needed = dtype == DType::BF16 || arch == std::string("sm_80") ? 80 : 75;
    return arch == std::string("sm_90a") ? capability == 90 : capability >= needed;
  }
  KernelFile file() const { return kernelFile(*mask, {Phase::Forward, dtype, headDim, group, arch}); }
};

std::vector<Structure> structures() {
  std::vector<Structure> list;
  for (int d : {32, 64, 96, 128, 256}) {
    list.push_back({&windowMask(), DType::BF16, d, 8, "sm_80", "own"});
    list.push_back({&globalMask(), DType::BF16, d, 3, "sm_80", "own"});
    list.push_back({&headMask(), DType::BF16, d, 4, "sm_80", "own"});
    list.push_back({&windowMask(), DType::F16, d, 1, "sm_80", "own"});
    list.push_back({&documentsMask(), DType::F16, d, 2, "sm_75", "own"});
    list.push_back({&windowMask(), DType::F16, d, 8, "sm_75", "own"});
  }
  list.push_back({&windowMask(), DType::BF16, 64, 1, "sm_80", "own"});
  list.push_back({&opaqueWindowMask(), DType::BF16, 64, 2, "sm_80", "own"});
  list.push_back({&documentsMask(), DType::BF16, 64, 2, "sm_80", "own"});
  list.push_back({&headMask(), DType::F16, 64, 4, "sm_75", "own"});
  list.push_back({&windowMask(), DType::BF16, 64, 8, "sm_90a", "sm_90a"});
  list.push_back({&globalMask(), DType::F16, 64, 3, "sm_90a", "sm_90a"});
  list.push_back({&opaqueWindowMask(), DType::BF16, 128, 2, "sm_90a", "sm_90a"});
  list.push_back({&windowMask(), DType::F16, 128, 4, "sm_90a", "sm_90a"});
  list.push_back({&windowMask(), DType::BF16, 64, 8, "sm_80", "compute_80"});
  list.push_back({&windowMask(), DType::F16, 64, 8, "sm_75", "compute_75"});
  list.push_back({&globalMask(), DType::F16, 128, 3, "sm_75", "compute_75"});
  return list;
}

// ---- what is run ----

struct Shape {
  const char *name;
  int batch, headsKv, lenQ, lenK;
  Layout layout;
  bool sinks;
  std::vector<int> window, offset, pad; // by sequence, for the masks that have them
  std::vector<int> kvLen;               // empty: all keys exist
  int pageSize;                         // 0: no pages
};

const Shape kShapes[] = {
    {"square", 2, 2, 130, 130, Layout::RowsFirst, true, {1000, 40}, {0, 0}, {17, 0}, {}, 0},
    {"chunk", 2, 1, 37, 200, Layout::Gaps, false, {90, 1000}, {163, 90}, {0, 40}, {200, 127}, 0},
    {"tall", 1, 2, 150, 70, Layout::Odd, false, {64}, {-20}, {0}, {}, 0},
    {"dead", 2, 1, 33, 64, Layout::HeadsFirst, true, {1, 1000}, {100, 0}, {0, 33}, {64, 0}, 0},
    {"long", 2, 1, 333, 333, Layout::HeadsFirst, true, {1000, 64}, {0, 0}, {0, 137}, {}, 0},
    {"late", 1, 2, 193, 340, Layout::Gaps, false, {300}, {147}, {0}, {}, 0},
    {"early", 1, 2, 150, 70, Layout::HeadsFirst, false, {64}, {-20}, {0}, {}, 0},
    {"single", 1, 1, 1, 1, Layout::HeadsFirst, true, {128}, {0}, {0}, {}, 0},
    {"step", 3, 2, 1, 300, Layout::HeadsFirst, true, {1000, 128, 7}, {299, 140, 0}, {0, 33, 0}, {300, 141, 1}, 16},
    {"few", 2, 1, 5, 257, Layout::RowsFirst, false, {1000, 20}, {252, 95}, {100, 0}, {257, 100}, 64},
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Numbers of a shape. Keys that the mask's ranges exclude for all, and keys past kv_len, hold NaN.
AttentionProblem problemOf(const Structure &s, const Shape &shape, unsigned seed) {
  AttentionProblem p;
  p.dtype = s.dtype, p.batch = shape.batch, p.headDim = s.headDim, p.mask = s.mask;
  p.headsKv = shape.headsKv, p.headsQ = shape.headsKv * s.group, p.lenQ = shape.lenQ, p.lenK = shape.lenK;
  p.scale = 1.3 / std::sqrt(s.headDim);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  auto draw = [&](int heads, int rows) {
    std::vector<float> x(size_t(p.batch) * heads * rows * p.headDim);
    for (float &value : x)
      value = valueOf(p.dtype, roundTo(p.dtype, normal(random)));
    return x;
  };
  p.q = draw(p.headsQ, p.lenQ), p.k = draw(p.headsKv, p.lenK), p.v = draw(p.headsKv, p.lenK);
  p.dout = draw(p.headsQ, p.lenQ);
  if (shape.sinks)
    for (int h = 0; h < p.headsQ; ++h)
      p.sinks.push_back(2.f * std::sin(1.f + h * 1.7f));
  p.kvLen = shape.kvLen;
  if (s.mask == &documentsMask()) {
    p.lenQ = std::min(p.lenQ, p.lenK); // a query past the array would belong to its last document
    p.q = draw(p.headsQ, p.lenQ), p.dout = draw(p.headsQ, p.lenQ);
    std::vector<int> documents;
    for (int b = 0; b < p.batch; ++b)
      for (int k = 0, id = b; k < p.lenK; ++k)
        documents.push_back(id += random() % 40 == 0);
    p.values = {{documents}, {p.lenK}};
  } else if (s.mask == &headMask()) {
    p.values = {{shape.window, std::vector<int>(p.batch, 0)}, {1, 1}};
  } else {
    p.values = {{shape.window, shape.offset, shape.pad}, {1, 1, 1}};
    p.values.values.resize(s.mask->paramCount);
  }
  for (int b = 0; b < p.batch; ++b) {
    const int begin = s.mask == &windowMask() ? shape.pad[b] : 0, end = p.kvLen.empty() ? p.lenK : p.kvLen[b];
    for (int h = 0; h < p.headsKv; ++h)
      for (int k = 0; k < p.lenK; ++k)
        if (k < begin || k >= end)
          for (int c = 0; c < p.headDim; ++c) {
            const size_t at = ((size_t(b) * p.headsKv + h) * p.lenK + k) * p.headDim + c;
            p.k[at] = p.v[at] = float(kNan);
          }
  }
  return p;
}

double relativeError(const std::vector<double> &got, const std::vector<double> &want) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i)
    error += (got[i] - want[i]) * (got[i] - want[i]), norm += want[i] * want[i];
  return norm > 0 ? std::sqrt(error / norm) : std::sqrt(error); // NaN stays NaN
}
double largestError(const std::vector<float> &got, const std::vector<double> &want) {
  double largest = 0;
  for (size_t i = 0; i < got.size(); ++i)
    if (!(got[i] == want[i])) { // equal infinities are right
      const double error = std::abs(got[i] - want[i]);
      largest = std::isnan(error) ? kNan : std::max(largest, error);
    }
  return largest;
}

class AttentionKernels : public ::testing::TestWithParam<Structure> {
protected:
  static std::map<std::string, DeviceProgram> programs;

  /// Compiles what the filter leaves, on all cores.
  static void SetUpTestSuite() {
    if (!openGpu() || !hasNvrtc())
      return;
    std::vector<Structure> wanted;
    const ::testing::TestSuite *suite = ::testing::UnitTest::GetInstance()->current_test_suite();
    for (int i = 0; i < suite->total_test_count(); ++i)
      for (const Structure &s : structures())
        if (s.runs() && suite->GetTestInfo(i)->should_run() &&
            suite->GetTestInfo(i)->name() == "MatchesFloat64/" + s.name())
          wanted.push_back(s);
    std::atomic<size_t> next{0};
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
      threads.emplace_back([&] {
        for (size_t i; (i = next++) < wanted.size();) {
          Result<DeviceProgram> program = compileDevice(wanted[i].file().source, wanted[i].nvrtcTarget());
          std::lock_guard lock(mutex);
          if (!program)
            ADD_FAILURE() << wanted[i].name() << ": " << program.error().message;
          else
            programs[wanted[i].name()] = *program;
        }
      });
    for (std::thread &thread : threads)
      thread.join();
  }
};
std::map<std::string, DeviceProgram> AttentionKernels::programs;

/// One shape on the device: inputs uploaded, outputs poisoned.
class DeviceRun {
public:
  DeviceRun(const AttentionProblem &p, const Shape &shape)
      : p(p), queries(shape.layout, p.batch, p.headsQ, p.lenQ, p.headDim),
        keys(shape.layout, p.batch, p.headsKv, p.lenK, p.headDim),
        paged(shape.layout, p.batch * pagesOf(shape), p.headsKv, std::max(shape.pageSize, 1), p.headDim),
        q(queries.encode(p.dtype, p.q)), dout(queries.encode(p.dtype, p.dout)), k(encodeKeys(p.k, shape)),
        v(encodeKeys(p.v, shape)), table(pageTable(shape)), sinks(p.sinks), kvLen(p.kvLen), out(queries.poisoned()),
        dq(queries.poisoned()), dk(keys.poisoned()), dv(keys.poisoned()), lse(std::vector<float>(rows(), float(kNan))),
        dsinks(std::vector<float>(p.headsQ, float(kNan))), splitOut(rows() * kMaxSplits * p.headDim * 4),
        splitLse(rows() * kMaxSplits * 4), rowStats(rows() * 8),
        dsinksPartial(size_t(p.headsQ) * p.batch * device::row_stats_blocks(p.lenQ) * 4) {
    for (DeviceBuffer *workspace : {&splitOut, &splitLse, &rowStats, &dsinksPartial})
      workspace->fill(0xff);
    for (const std::vector<int> &values : p.values.values)
      paramData.emplace_back(values);
    for (size_t i = 0; i < paramData.size(); ++i)
      params.push_back({paramData[i].as<int>(), p.values.sizes[i], p.values.sizes[i]});
    args.q = queries.on(q), args.out = queries.on(out), args.dout = queries.on(dout), args.dq = queries.on(dq);
    args.k = (shape.pageSize ? paged : keys).on(k), args.v = (shape.pageSize ? paged : keys).on(v);
    args.dk = keys.on(dk), args.dv = keys.on(dv);
    args.lse = lse.as<float>(), args.sinks = p.sinks.empty() ? nullptr : sinks.as<float>();
    args.kv_len = p.kvLen.empty() ? nullptr : kvLen.as<int>();
    if (shape.pageSize) {
      args.page_table = table.as<int>(), args.page_table_stride = pagesOf(shape);
      while (1 << args.page_shift < shape.pageSize)
        ++args.page_shift;
    }
    args.batch = p.batch, args.heads_q = p.headsQ, args.heads_kv = p.headsKv, args.len_q = p.lenQ, args.len_k = p.lenK;
    args.scale = float(p.scale);
    args.split_out = splitOut.as<float>(), args.split_lse = splitLse.as<float>();
    args.dsinks = p.sinks.empty() ? nullptr : dsinks.as<float>();
    args.row_stats = rowStats.as<float>(), args.dsinks_partial = dsinksPartial.as<float>();
  }
  static constexpr int kMaxSplits = 7;

  const AttentionProblem &p;
  TensorLayout queries, keys, paged;
  DeviceBuffer q, dout, k, v, table, sinks, kvLen, out, dq, dk, dv, lse, dsinks, splitOut, splitLse, rowStats,
      dsinksPartial;
  std::vector<DeviceBuffer> paramData;
  std::vector<device::Param> params;
  device::AttentionArgs args = {};

private:
  size_t rows() const { return size_t(p.batch) * p.headsQ * p.lenQ; }
  int pagesOf(const Shape &shape) const { // a sequence
    return shape.pageSize ? (p.lenK + shape.pageSize - 1) / shape.pageSize : 1;
  }
  /// Pages lie backwards in the pool; entries past kv_len are out of any range, so that reading one shows.
  std::vector<int> pageTable(const Shape &shape) const {
    const int pages = pagesOf(shape), count = p.batch * pages;
    std::vector<int> entries;
    for (int i = 0; i < count; ++i)
      entries.push_back(shape.pageSize && i % pages * shape.pageSize >= p.kvLen[i / pages] ? 1 << 30 : count - 1 - i);
    return entries;
  }
  std::vector<uint16_t> encodeKeys(const std::vector<float> &dense, const Shape &shape) const {
    if (!shape.pageSize)
      return keys.encode(p.dtype, dense);
    const int pages = pagesOf(shape), count = p.batch * pages;
    std::vector<float> pool(size_t(count) * p.headsKv * shape.pageSize * p.headDim, float(kNan));
    for (int b = 0; b < p.batch; ++b)
      for (int h = 0; h < p.headsKv; ++h)
        for (int i = 0; i < p.lenK; ++i)
          for (int c = 0; c < p.headDim; ++c) {
            const size_t page = count - 1 - (b * pages + i / shape.pageSize);
            pool[((page * p.headsKv + h) * shape.pageSize + i % shape.pageSize) * p.headDim + c] =
                dense[((size_t(b) * p.headsKv + h) * p.lenK + i) * p.headDim + c];
          }
    return paged.encode(p.dtype, pool);
  }
};

/// Twice the unavoidable error, and what fp32 sums add where that one is nearly 0.
double allowed(double unavoidable) { return 2 * unavoidable + 1e-5; }
/// A gradient of sinks is one sum a head of terms that cancel: too few for two draws of roundings to be alike.
constexpr double kFewSums = 3;
/// fp32 products of up to 256 terms, scores up to about 30: a few units in the last place of 32.
constexpr double kLseError = 2e-5;

TEST_P(AttentionKernels, MatchesFloat64) {
  if (!openGpu() || !hasNvrtc())
    GTEST_SKIP() << "no gpu, or no NVRTC";
  const Structure &s = GetParam();
  if (!s.runs())
    GTEST_SKIP() << "another gpu is needed than one of compute capability " << computeCapability();
  ASSERT_TRUE(programs.count(s.name()));
  const KernelFile file = s.file();
  const GpuModule module(programs.at(s.name()).image);
  unsigned seed = 20261126;
  for (const Shape &shape : kShapes) {
    SCOPED_TRACE(fmt::format("{}, seed {}", shape.name, ++seed));
    const AttentionProblem p = problemOf(s, shape, seed);
    const bool backward = shape.pageSize == 0;
    const AttentionResult want = referenceAttention(p, backward, false),
                          rounded = referenceAttention(p, backward, true);
    DeviceRun run(p, shape);
    const KernelLaunches kernels = {file, module, run.params};
    std::string report = fmt::format("{:44} {:6}", s.name(), shape.name);

    auto check = [&](const char *what, const TensorLayout &layout, const DeviceBuffer &buffer,
                     const std::vector<double> &exact, const std::vector<double> &best) {
      const std::vector<uint16_t> memory = buffer.download<uint16_t>();
      const double error = relativeError(layout.decode(p.dtype, memory), exact), limit = relativeError(best, exact);
      EXPECT_LE(error, allowed(limit)) << what;
      EXPECT_TRUE(layout.gapsIntact(memory)) << what << " was written outside its rows";
      report += fmt::format("  {} {:.2e} ({:.2e})", what, error, limit);
    };
    auto checkLse = [&] {
      const double error = largestError(run.lse.download<float>(), want.lse);
      EXPECT_LE(error, kLseError) << "lse";
      report += fmt::format("  lse {:.0e}", error);
    };
    auto poison = [&] { run.out.fill(0xff), run.lse.fill(0xff), run.splitOut.fill(0xff), run.splitLse.fill(0xff); };

    kernels.forward(run.args);
    check("out", run.queries, run.out, want.out, rounded.out);
    checkLse();
    if (file.hasSm90 && device::sm90_serves(run.args)) {
      poison();
      kernels.forwardSm90(run.args);
      check("sm90", run.queries, run.out, want.out, rounded.out);
      checkLse();
    }
    if (backward) {
      kernels.backward(run.args);
      check("dq", run.queries, run.dq, want.dq, rounded.dq);
      check("dk", run.keys, run.dk, want.dk, rounded.dk);
      check("dv", run.keys, run.dv, want.dv, rounded.dv);
      if (run.args.dsinks) {
        const std::vector<float> got = run.dsinks.download<float>();
        const double error = relativeError({got.begin(), got.end()}, want.dsinks);
        EXPECT_LE(error, allowed(kFewSums * relativeError(rounded.dsinks, want.dsinks))) << "dsinks";
        report += fmt::format("  dsinks {:.0e}", error);
      }
    }
    for (int splits : {1, 2, DeviceRun::kMaxSplits}) {
      poison();
      run.args.splits = splits;
      kernels.decode(run.args);
      check(splits == 1 ? "decode" : "split", run.queries, run.out, want.out, rounded.out);
      checkLse();
    }
    fmt::print("{}\n", report);
  }
}

INSTANTIATE_TEST_SUITE_P(gpu, AttentionKernels, ::testing::ValuesIn(structures()),
                         [](const auto &info) { return info.param.name(); });

} // namespace
} // namespace maskjit::test
