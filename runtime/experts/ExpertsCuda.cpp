// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the class of a call, cuts its workspace and launches. Reads no device memory and never waits.
#include "compiler/device/ExpertsTable.h"
#include "compiler/device/experts_maps.h"
#include "runtime/experts/Experts.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/launch/TensorMap.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit {
namespace {

constexpr int64_t kMostPairs = int64_t(1) << 30; // pairs are int32 on the device

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Where a call runs and with which kernel.
struct Choice {
  cuda::Device device;
  ImageKind kind;
  ExpertsSpec spec;
  bool inLine() const { return spec.format != WeightFormat::Mxfp4; } // groups of few tokens
  bool single() const { return spec.rows <= 8; }

  Result<std::shared_ptr<const cuda::LoadedKernel>> kernel() const {
    return cuda::LoadedKernel::find(expertsRequest(spec), kind, device);
  }
};

/// Fills in the architecture and the class of `spec` for `tokens` tokens with an adapter of rank `rank`.
Result<Choice> choose(ExpertsSpec spec, int64_t tokens, int64_t experts, int64_t rank = 0) {
  if (experts < 1 || experts > device::kMostExperts)
    return Error{fmt::format("1 to {} experts a layer, got {}", device::kMostExperts, experts)};
  if (tokens * spec.expertsPerToken > kMostPairs)
    return Error{fmt::format("experts take up to {} pairs of a token and an expert, got {} tokens with {} each; split "
                             "the tokens",
                             kMostPairs, tokens, spec.expertsPerToken)};
  Result<cuda::DeviceTarget> here = cuda::currentTarget();
  if (!here)
    return here.error();
  const cuda::Device &device = here->device;
  spec.arch = here->target.arch;
  // A single launch keeps all its blocks resident: a device with too few multiprocessors takes the grouped kernels.
  if (spec.format != WeightFormat::Mxfp4 && device.multiprocessors < device::experts_dense_blocks(spec.hidden))
    return Error{fmt::format(
        "experts with 16-bit weights or in NF4 of {} hidden features need {} multiprocessors, this GPU has {}; "
        "take the model's forward pass or hold them in MXFP4",
        spec.hidden, device::experts_dense_blocks(spec.hidden), device.multiprocessors)};
  const bool grouped =
      device.multiprocessors < device::experts_rows_blocks(spec.hidden) || rank > device::kMostExpertsRank;
  Result<int> rows = expertsRows(spec, grouped ? std::max<int64_t>(tokens, 9) : tokens, experts);
  if (!rows)
    return rows.error();
  spec.rows = *rows;
  return Choice{device, here->target.kind, spec};
}

Result<Choice> choose(const ExpertsCall &call) {
  ExpertsSpec spec;
  spec.hidden = static_cast<int>(call.hidden);
  spec.intermediate = static_cast<int>(call.intermediate);
  spec.expertsPerToken = static_cast<int>(call.expertsPerToken);
  spec.dtype = call.dtype;
  spec.format = call.format;
  return choose(spec, call.tokens, call.experts, call.adapterRank);
}

Result<Choice> choose(const ExpertsLinearCall &call, bool gradient) {
  ExpertsSpec spec;
  spec.kind = gradient ? ExpertsKind::Gradient : ExpertsKind::Linear;
  spec.hidden = static_cast<int>(call.inputs);
  spec.intermediate = static_cast<int>(call.outputs);
  spec.expertsPerToken = 1;
  spec.dtype = call.dtype;
  return choose(spec, call.pairs, call.experts);
}

/// Parts of the workspace, each a multiple of 16 bytes.
struct Workspace {
  int64_t bytes = 0;
  int64_t take(int64_t count) {
    const int64_t at = bytes;
    bytes += ceilDiv(count, 16) * 16;
    return at;
  }
};
struct Parts {
  int64_t h, plan = 0, sorted = 0, xPairs = 0, y = 0, shares = 0, gateUpLow, downLow, bytes, tiles = 0;
  Parts(const ExpertsCall &call, const Choice &choice) {
    constexpr int64_t kElement = 2; // bytes of fp16 and bf16
    Workspace workspace;
    const int64_t tokens = choice.inLine() ? std::min<int64_t>(call.tokens, choice.spec.rows) : call.tokens;
    const int64_t pairs = tokens * call.expertsPerToken;
    h = workspace.take(pairs * call.intermediate * kElement);
    if (choice.inLine())
      shares = workspace.take(device::experts_dense_share_bytes(static_cast<int>(choice.device.multiprocessors)));
    if (!choice.single()) {
      tiles = device::experts_tiles(static_cast<int>(pairs), static_cast<int>(call.experts),
                                    device::experts_tile_tokens(choice.spec.rows));
      plan = workspace.take(device::experts_plan_bytes(static_cast<int>(tiles)));
      sorted = workspace.take(pairs * static_cast<int64_t>(sizeof(int)));
      xPairs = workspace.take(call.tokens * call.hidden * kElement);
      y = workspace.take(pairs * call.hidden * kElement);
    }
    gateUpLow = workspace.take(pairs * call.adapterRank * kElement);
    downLow = workspace.take(pairs * call.adapterRank * kElement);
    bytes = workspace.bytes;
  }
};

/// Of a single product.
struct LinearParts {
  int64_t plan, sorted, xPairs = 0, bytes, tiles;
  LinearParts(const ExpertsLinearCall &call, const Choice &choice) {
    constexpr int64_t kElement = 2;
    Workspace workspace;
    tiles = device::experts_tiles(static_cast<int>(call.pairs), static_cast<int>(call.experts), choice.spec.rows);
    plan = workspace.take(device::experts_plan_bytes(static_cast<int>(tiles)));
    sorted = workspace.take(call.pairs * static_cast<int64_t>(sizeof(int)));
    if (choice.spec.kind == ExpertsKind::Linear)
      xPairs = workspace.take(call.pairs / call.perRow * call.inputs * kElement);
    bytes = workspace.bytes;
  }
};

Result<void> checkAdapter(const ExpertsCall &call) {
  const int64_t rank = call.adapterRank;
  if (rank % 16 || ((call.gateUpAdapter.a || call.downAdapter.a) && rank < 1))
    return Error{fmt::format("an adapter of experts has a rank that is a multiple of 16, got {}", rank)};
  return {};
}

device::Mxfp4Stack stack(const ExpertsView &view) {
  return {static_cast<const unsigned char *>(view.weights), static_cast<const unsigned char *>(view.scales), view.bias};
}

void setStack(device::DenseStack &to, const ExpertsView &view) { to = {view.weights, view.bias}; }
void setStack(device::Nf4Stack &to, const ExpertsView &view) {
  to = {{static_cast<const unsigned char *>(view.weights), static_cast<const float *>(view.table), view.scales,
         static_cast<const float *>(view.nestedTable), static_cast<const float *>(view.nestedAbsmax),
         static_cast<const float *>(view.nestedOffset)},
        view.bias};
}

/// A launch for each group of as many tokens as the kernel takes, one after the other on the stream.
template <class Stack>
Result<void> inLineForward(const cuda::LoadedKernel &kernel, const ExpertsCall &call, const Choice &choice,
                           void *stream) {
  enum Entry { Plain, Adapted }; // as emitCuda orders them
  const Parts parts(call, choice);
  char *memory = static_cast<char *>(call.workspace);
  const size_t entry = call.gateUpAdapter.a || call.downAdapter.a ? Adapted : Plain;
  for (int64_t first = 0; first < call.tokens; first += choice.spec.rows) {
    device::ExpertsLineArgs<Stack> args{};
    args.x = static_cast<const char *>(call.x) + first * call.hidden * 2;
    setStack(args.gate_up, call.gateUp);
    setStack(args.down, call.down);
    args.experts = call.chosen + first * call.expertsPerToken;
    args.weights = call.scores + first * call.expertsPerToken;
    args.out = call.out + first * call.hidden;
    args.tokens = static_cast<int>(std::min<int64_t>(choice.spec.rows, call.tokens - first));
    args.accumulate = call.accumulate;
    args.alpha = call.alpha;
    args.limit = call.limit;
    args.adapter_rank = static_cast<int>(call.adapterRank);
    args.gate_up_adapter = {call.gateUpAdapter.a, call.gateUpAdapter.b, memory + parts.gateUpLow};
    args.down_adapter = {call.downAdapter.a, call.downAdapter.b, memory + parts.downLow};
    args.h = memory + parts.h;
    args.barrier = call.barrier;
    args.shares = memory + parts.shares;
    void *arguments[] = {&args};
    if (auto done = kernel.launch(entry, {choice.device.multiprocessors, 1, 1}, reinterpret_cast<cuda::Stream>(stream),
                                  arguments, call.dependent || first > 0);
        !done)
      return done;
  }
  return {};
}

const char *nameOf(WeightFormat format) {
  return format == WeightFormat::Dense ? "dense" : format == WeightFormat::Nf4 ? "nf4" : "mxfp4";
}

} // namespace

KernelRequest expertsRequest(const ExpertsSpec &spec) {
  KernelRequest request;
  request.name = "experts";
  request.structure = fmt::format("experts {} kind {} {} x {} top {} class {} {} {}", nameOf(spec.format),
                                  static_cast<int>(spec.kind), spec.hidden, spec.intermediate, spec.expertsPerToken,
                                  spec.rows, spec.dtype == DType::F16 ? "f16" : "bf16", spec.arch);
  request.spec.arch = spec.arch;
  request.spec.dtype = spec.dtype;
  request.key = [spec] { return cudaKey(spec); };
  request.emit = [spec] { return emitCuda(spec); };
  return request;
}

Result<int64_t> expertsWorkspace(const ExpertsCall &call) {
  Result<Choice> choice = choose(call);
  if (!choice)
    return choice.error();
  return Parts(call, *choice).bytes;
}

Result<int64_t> expertsBarrierBytes(const ExpertsCall &call) {
  Result<cuda::Device> device = cuda::Device::current();
  if (!device)
    return device.error();
  const int words =
      call.format != WeightFormat::Mxfp4 ? device::experts_dense_words(static_cast<int>(device->multiprocessors)) : 2;
  return static_cast<int64_t>(words) * 4;
}

Result<void> loadExperts(const ExpertsCall &call) {
  Result<Choice> choice = choose(call);
  if (!choice)
    return choice.error();
  Result<std::shared_ptr<const cuda::LoadedKernel>> loaded = choice->kernel();
  return loaded ? Result<void>() : loaded.error();
}

Result<void> expertsForwardCuda(const ExpertsCall &call, void *stream) {
  enum Entry { Route, GateUp, Down, Combine, Low }; // as emitCuda orders them
  if (Result<void> fits = checkAdapter(call); !fits)
    return fits;
  Result<Choice> choice = choose(call);
  if (!choice)
    return choice.error();
  if (call.tokens == 0)
    return {};
  Result<std::shared_ptr<const cuda::LoadedKernel>> found = choice->kernel();
  if (!found)
    return found.error();
  const cuda::LoadedKernel &kernel = **found;
  if (choice->inLine())
    return call.format == WeightFormat::Dense ? inLineForward<device::DenseStack>(kernel, call, *choice, stream)
                                              : inLineForward<device::Nf4Stack>(kernel, call, *choice, stream);

  const Parts parts(call, *choice);
  char *memory = static_cast<char *>(call.workspace);
  device::ExpertsArgs args{};
  args.x = call.x;
  args.gate_up = stack(call.gateUp);
  args.down = stack(call.down);
  args.experts = call.chosen;
  args.weights = call.scores;
  args.out = call.out;
  args.tokens = static_cast<int>(call.tokens);
  args.expert_count = static_cast<int>(call.experts);
  args.accumulate = call.accumulate;
  args.alpha = call.alpha;
  args.limit = call.limit;
  args.adapter_rank = static_cast<int>(call.adapterRank);
  args.gate_up_adapter = {call.gateUpAdapter.a, call.gateUpAdapter.b, memory + parts.gateUpLow};
  args.down_adapter = {call.downAdapter.a, call.downAdapter.b, memory + parts.downLow};
  args.h = memory + parts.h;
  args.barrier = call.barrier;
  args.plan = reinterpret_cast<device::ExpertPlan *>(memory + parts.plan);
  args.sorted = reinterpret_cast<int *>(memory + parts.sorted);
  args.x_pairs = memory + parts.xPairs;
  args.y = memory + parts.y;
  void *arguments[] = {&args};
  cuda::TensorMap maps[2]; // of gate_up and down
  const Result<ExpertsSchedule> schedule = expertsSchedule(choice->spec);
  if (!schedule)
    return schedule.error();
  if (schedule->maps) {
    const int experts = args.expert_count, hidden = choice->spec.hidden, intermediate = choice->spec.intermediate;
    const device::TensorMapShape shapes[2] = {device::experts_map(args.gate_up, experts, 2 * intermediate, hidden),
                                              device::experts_map(args.down, experts, hidden, intermediate)};
    for (int i = 0; i < 2; ++i) {
      Result<cuda::TensorMap> map = cuda::encodeTensorMap(shapes[i], call.dtype);
      if (!map)
        return map.error();
      maps[i] = *map;
    }
  }
  /// Blocks that stay, one a multiprocessor, or one for each tile of `rows` and each of tokens.
  auto product = [&](int entry, int64_t rows) {
    void *withMaps[] = {maps, &args};
    const cuda::Grid grid = schedule->maps ? cuda::Grid{choice->device.multiprocessors, 1, 1}
                                           : cuda::Grid{ceilDiv(rows, kernel.entry(entry).tileQueries), parts.tiles, 1};
    return kernel.launch(static_cast<size_t>(entry), grid, reinterpret_cast<cuda::Stream>(stream),
                         schedule->maps ? withMaps : arguments, true);
  };
  auto launch = [&](int entry, cuda::Grid grid, bool dependent = false) {
    return kernel.launch(static_cast<size_t>(entry), grid, reinterpret_cast<cuda::Stream>(stream), arguments,
                         dependent);
  };
  if (choice->single()) // the second entry is the one with adapters
    return launch(call.gateUpAdapter.a || call.downAdapter.a ? 1 : 0, {choice->device.multiprocessors, 1, 1},
                  call.dependent);

  constexpr int64_t kWarp = 32;
  const int64_t pairs = call.tokens * call.expertsPerToken,
                lowRows = call.gateUpAdapter.a ? pairs * call.adapterRank * kWarp : 0,
                permuting = ceilDiv(std::max(call.tokens * (call.hidden / 32), lowRows), device::kRouteThreads);
  const cuda::Grid route{1 + std::min<int64_t>(permuting, choice->device.multiprocessors - 1), 1, 1};
  if (auto done = launch(Route, route, call.dependent); !done)
    return done;
  if (auto done = product(GateUp, 2 * call.intermediate); !done)
    return done;
  if (call.downAdapter.a)
    if (auto done = launch(Low, {pairs, 1, 1}, true); !done)
      return done;
  if (auto done = product(Down, call.hidden); !done)
    return done;
  return launch(Combine, {ceilDiv(call.tokens * (call.hidden / 8), device::kCombineThreads), 1, 1}, true);
}

Result<int64_t> expertsLinearWorkspace(const ExpertsLinearCall &call, bool gradient) {
  Result<Choice> choice = choose(call, gradient);
  if (!choice)
    return choice.error();
  return LinearParts(call, *choice).bytes;
}

Result<void> expertsLinearCuda(const ExpertsLinearCall &call, bool gradient, void *stream) {
  enum Entry { Route, Product }; // as emitCuda orders them
  if (call.perRow < 1 || call.pairs % call.perRow)
    return Error{fmt::format("pairs must be a multiple of the pairs a row, got {} and {}", call.pairs, call.perRow)};
  Result<Choice> choice = choose(call, gradient);
  if (!choice)
    return choice.error();
  if (call.pairs == 0)
    return {};
  Result<std::shared_ptr<const cuda::LoadedKernel>> kernel = choice->kernel();
  if (!kernel)
    return kernel.error();

  const LinearParts parts(call, *choice);
  char *memory = static_cast<char *>(call.workspace);
  device::ExpertsLinearArgs args{};
  args.x = call.x;
  args.matrix = stack(call.matrix);
  args.experts = call.chosen;
  args.y = call.y;
  args.pairs = static_cast<int>(call.pairs);
  args.expert_count = static_cast<int>(call.experts);
  args.per_row = static_cast<int>(call.perRow);
  args.plan = reinterpret_cast<device::ExpertPlan *>(memory + parts.plan);
  args.sorted = reinterpret_cast<int *>(memory + parts.sorted);
  args.x_pairs = memory + parts.xPairs;
  void *arguments[] = {&args};
  const int64_t permuting = ceilDiv(call.pairs / call.perRow * (call.inputs / 32), device::kRouteThreads);
  const int64_t blocks = gradient ? 1 : 1 + std::min<int64_t>(permuting, choice->device.multiprocessors - 1);
  auto *on = reinterpret_cast<cuda::Stream>(stream);
  if (auto done = (*kernel)->launch(Route, {blocks, 1, 1}, on, arguments); !done)
    return done;
  const Result<ExpertsSchedule> schedule = expertsSchedule(choice->spec);
  if (!schedule)
    return schedule.error();
  const int64_t across = ceilDiv(gradient ? call.inputs : call.outputs, (*kernel)->entry(Product).tileQueries);
  const cuda::Grid grid =
      schedule->stays ? cuda::Grid{choice->device.multiprocessors, 1, 1} : cuda::Grid{across, parts.tiles, 1};
  return (*kernel)->launch(Product, grid, on, arguments);
}

} // namespace maskjit
