// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads the kernels of a step and launches them in order.
#include "runtime/step/Step.h"
#include "compiler/device/attention_args.h"
#include "runtime/experts/Experts.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/step/FillArgs.h"
#include "runtime/step/LinearMaps.h"
#include "runtime/step/SharedDecode.h"
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace maskjit {
namespace {

using cuda::Grid;
using cuda::LoadedKernel;
using KernelPtr = std::shared_ptr<const LoadedKernel>;

constexpr int64_t kBlocksPerProcessor = 2; // attention fills the GPU about this often
constexpr int64_t kLeastSplitKeys = 128;   // below it merging costs more than the keys
constexpr int64_t kMostSplits = 128;
constexpr int64_t kSharedBlocksPerProcessor = 3; // the same of what attends prefixes
constexpr int64_t kLeastSharedSplits = 4, kMostSharedSplits = 32, kSharedSplitsOfSlots = 512; // a prefix, all slots
constexpr int64_t kLeastSampleParts = 4; // fewer blocks a row read it too slowly, however many rows there are

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A launch whose arguments are fixed.
struct Prepared {
  std::string name;
  KernelPtr kernel;
  size_t entry = 0;
  Grid grid;
  StepArgs args;
  std::optional<LinearMaps> maps; // the second argument of linear_rows_sm90
  // ---- attention ----
  bool isAttention = false;
  device::AttentionArgs attention{};
  std::vector<device::Param> params;
  // ---- experts, which launch by themselves ----
  std::optional<ExpertsCall> experts;

  Result<void> launch(void *stream, bool dependent) const {
    if (experts) {
      ExpertsCall call = *experts;
      call.dependent = dependent;
      return expertsForwardCuda(call, stream);
    }
    void *block =
        isAttention ? const_cast<device::AttentionArgs *>(&attention)
                    : std::visit([](const auto &a) { return const_cast<void *>(static_cast<const void *>(&a)); }, args);
    void *arguments[] = {block, maps ? const_cast<cuda::TensorMap *>(maps->data())
                                     : static_cast<void *>(const_cast<device::Param *>(params.data()))};
    return kernel->launch(entry, grid, reinterpret_cast<cuda::Stream>(stream), arguments, dependent);
  }
};

} // namespace

struct Step::Impl {
  StepSetup setup;
  StepProgram program;
  cuda::Device device;
  cuda::Target target;
  std::vector<void *> memories;
  std::vector<Prepared> launches;
  SharedPromptsLayout shared;
  void *sharedWorkspace = nullptr; // partial results, of one layer after the other

  StepMemory memory() const {
    return {program, setup.inputs, memories, setup.sampling, static_cast<int>(setup.spec.slots)};
  }

  Result<void *> allocate(size_t bytes) {
    void *data = setup.allocate(bytes);
    return data ? Result<void *>(data) : Error{fmt::format("a decode step needs {} bytes of device memory", bytes)};
  }

  Result<void> allocateMemories() {
    std::vector<size_t> bytes(program.memories, 0);
    for (const StepValue &value : program.values)
      if (value.memory >= 0)
        bytes[value.memory] = std::max(bytes[value.memory], static_cast<size_t>(value.rowBytes * setup.spec.slots));
    for (size_t each : bytes) {
      Result<void *> data = allocate(each);
      if (!data)
        return data.error();
      memories.push_back(*data);
    }
    return {};
  }

  Result<void> checkInputs() const {
    for (const StepValue &value : program.values)
      if (!value.input.empty() && !setup.inputs.count(value.input))
        return Error{fmt::format("a decode step has no memory for its input '{}'", value.input)};
    return {};
  }

  Result<KernelPtr> kernels() const {
    KernelRequest request;
    request.name = "step";
    request.structure = "step " + program.kernels.key;
    request.spec.arch = target.arch;
    request.spec.dtype = setup.spec.dtype;
    request.key = [&] { return Result<std::string>(program.kernels.key); };
    request.emit = [&] { return Result<CudaKernel>(program.kernels); };
    return LoadedKernel::find(request, target.kind, device);
  }

  /// What the blocks of a row share where filters make them search it.
  Result<void> addSearch(device::SampleArgs &args) {
    const StepSampling &s = setup.sampling;
    if (s.temperature == 0 || (s.topK == 0 && s.topP >= 1 && s.minP <= 0))
      return {};
    Result<void *> search = allocate(sizeof(device::SampleSearch) * static_cast<size_t>(setup.spec.slots));
    if (!search)
      return search.error();
    args.search = static_cast<device::SampleSearch *>(*search);
    return {};
  }

  Grid gridOf(const StepLaunch &launch) const {
    const int64_t slots = setup.spec.slots;
    if (launch.op == StepOp::Sample) // one a multiprocessor: blocks of a row may wait for each other
      return {std::clamp<int64_t>(device.multiprocessors / slots,
                                  std::min<int64_t>(kLeastSampleParts, device.multiprocessors), device::kSampleParts),
              slots, 1};
    if (launch.op != StepOp::Linear && launch.op != StepOp::LinearSm90 && launch.op != StepOp::LinearNf4)
      return {slots, 1, 1};
    int64_t tiles = 0;
    for (const char *of : {"tiles", "lora_tiles"})
      if (const auto at = launch.sizes.find(of); at != launch.sizes.end())
        tiles = std::accumulate(at->second.begin(), at->second.end(), tiles);
    const int64_t blocksOfRows = ceilDiv(slots, launch.sizes.at("rows").front());
    if (launch.op == StepOp::LinearSm90) { // pairs of tiles, each of a cluster
      const int64_t pairs = ceilDiv(tiles, 2), split = launch.sizes.at("split").front();
      return {split > 1 ? pairs * split : std::min<int64_t>(pairs, device.multiprocessors), blocksOfRows, 1};
    }
    const auto left = launch.sizes.find("left"); // to the next kernel
    const int64_t own = device.multiprocessors - (left == launch.sizes.end() ? 0 : left->second.front());
    return {std::clamp<int64_t>(own, 1, tiles), blocksOfRows, 1};
  }

  /// Layers of the grid that attend prefixes, before those of the sequences' own keys.
  void addSharing(Prepared &attention) {
    const StepSpec &spec = setup.spec;
    Grid &grid = attention.grid;
    const int64_t layers = ceilDiv(kSharedBlocksPerProcessor * device.multiprocessors, grid.x * grid.y);
    shared = {spec.slots, spec.headsKv, spec.headsQ / spec.headsKv, layers * grid.x * grid.y,
              std::clamp(kSharedSplitsOfSlots / spec.slots, kLeastSharedSplits, kMostSharedSplits)};
    bindSharedPrompts(attention.attention, setup.inputs.at("shared_prompts").data, shared);
    attention.attention.shared_layers = static_cast<int>(layers);
    grid.z += layers;
  }

  /// One kernel, or two where keys are split.
  Result<void> addAttention(const StepLaunch &launch) {
    const StepSpec &spec = setup.spec;
    const StepMemory at = memory();
    const size_t mask = launch.entry;
    KernelSpec kernelSpec;
    kernelSpec.phase = Phase::Decode;
    kernelSpec.dtype = spec.dtype;
    kernelSpec.headDim = static_cast<int>(spec.headDim);
    kernelSpec.headsPerKeyHead = static_cast<int>(spec.headsQ / spec.headsKv);
    kernelSpec.arch = target.arch;
    const bool shares = static_cast<int>(mask) == setup.sharedMask;
    Result<KernelPtr> kernel =
        shares ? LoadedKernel::find(sharedDecodeRequest(spec.masks[mask], kernelSpec), target.kind, device)
               : LoadedKernel::find(spec.masks[mask], kernelSpec, device);
    if (!kernel)
      return kernel.error();
    Prepared prepared;
    prepared.name = launch.kernel;
    prepared.kernel = *kernel;
    prepared.isAttention = true;
    device::AttentionArgs &a = prepared.attention;
    const StepInput &keyPages = at.input(launch.value("key_pages")), &table = at.input(launch.value("table"));
    const int64_t dim = spec.headDim;
    a.q = {at.data(launch, "query"), spec.headsQ * dim, dim, spec.headsQ * dim};
    a.k = {keyPages.data, spec.headsKv * keyPages.pageSize * dim, keyPages.pageSize * dim, dim};
    a.v = a.k;
    a.v.data = at.data(launch, "value_pages");
    a.out = a.q;
    a.out.data = at.data(launch, "out");
    a.lse = static_cast<float *>(at.data(launch, "lse"));
    a.sinks = static_cast<const float *>(at.data(launch, "sinks"));
    a.kv_len = static_cast<const int *>(at.data(launch, "kv_len"));
    a.page_table = static_cast<const int *>(table.data);
    a.page_table_stride = table.stride;
    a.page_shift = pageShift(keyPages.pageSize);
    a.batch = static_cast<int>(spec.slots);
    a.heads_q = static_cast<int>(spec.headsQ);
    a.heads_kv = static_cast<int>(spec.headsKv);
    a.len_q = 1;
    a.len_k = static_cast<int>(setup.capacity[mask]);
    a.scale = static_cast<float>(launch.numbers.at("scale"));
    const std::vector<int> *params = launch.values.count("params") ? &launch.values.at("params") : nullptr;
    for (size_t i = 0; params && i < params->size(); ++i) {
      const int value = (*params)[i];
      const StepValue &v = program.values[value];
      // Positions are memory of the step, one a sequence.
      prepared.params.push_back({at.data(value), v.input.empty() ? 1 : at.input(value).stride, 1});
    }
    if (prepared.params.empty())
      prepared.params.emplace_back();

    const bool byHead = (*kernel)->usesHead();
    const int64_t heads = byHead ? spec.headsQ : spec.headsKv, group = spec.headsQ / heads;
    const int64_t rowTiles = ceilDiv(group, (*kernel)->entry(0).tileQueries);
    const int64_t wanted =
        ceilDiv(kBlocksPerProcessor * device.multiprocessors, std::max<int64_t>(1, rowTiles * heads * spec.slots));
    const int64_t splits =
        std::clamp<int64_t>(std::min(wanted, setup.mostKeys[mask] / kLeastSplitKeys), 1, kMostSplits);
    a.splits = static_cast<int>(splits);
    prepared.grid = {splits, heads * rowTiles, spec.slots};
    if (shares)
      addSharing(prepared);
    const int64_t rows = spec.slots * spec.headsQ, parts = splits + a.shared_splits;
    if (parts > 1) {
      const bool made = shares && sharedWorkspace;
      Result<void *> workspace = made ? Result<void *>(sharedWorkspace)
                                      : allocate(static_cast<size_t>(rows * parts * (dim + 1)) * sizeof(float));
      if (!workspace)
        return workspace.error();
      if (shares)
        sharedWorkspace = *workspace;
      a.split_out = static_cast<float *>(*workspace);
      a.split_lse = a.split_out + rows * parts * dim;
    }
    launches.push_back(prepared);
    if (parts > 1) {
      prepared.name += "_merge";
      prepared.entry = 1;
      prepared.grid = {ceilDiv(rows, device::kMergeRows), 1, 1};
      launches.push_back(prepared);
    }
    return {};
  }

  /// All layers' experts share workspace and barrier: they run one after the other.
  Result<void> addExperts(const StepLaunch &launch, void *&workspace, uint32_t *&barrier) {
    const StepSpec &spec = setup.spec;
    const StepMemory at = memory();
    ExpertsCall call;
    call.dtype = spec.dtype;
    call.tokens = spec.slots, call.hidden = spec.hidden, call.intermediate = spec.intermediate;
    call.experts = spec.experts, call.expertsPerToken = spec.expertsPerToken;
    call.x = at.data(launch, "input");
    call.chosen = static_cast<const int32_t *>(at.data(launch, "chosen"));
    call.scores = static_cast<const float *>(at.data(launch, "scores"));
    auto view = [&](const char *role) {
      const std::vector<int> &v = launch.values.at(role);
      ExpertsView view;
      view.weights = at.data(v.front()), view.bias = at.data(v.back());
      if (v.size() == 3)
        view.scales = at.data(v[1]);
      if (v.size() > 3)
        view.table = at.data(v[1]), view.scales = at.data(v[2]);
      if (v.size() == 7)
        view.nestedTable = at.data(v[3]), view.nestedAbsmax = at.data(v[4]), view.nestedOffset = at.data(v[5]);
      return view;
    };
    call.format = spec.expertsFormat;
    call.gateUp = view("gate_up"), call.down = view("down");
    auto adapter = [&](const char *role) {
      const auto v = launch.values.find(role);
      return v == launch.values.end() ? ExpertsAdapterView()
                                      : ExpertsAdapterView{at.data(v->second[0]), at.data(v->second[1])};
    };
    const bool adapted = std::any_of(spec.adapters.begin(), spec.adapters.end(),
                                     [](const StepAdapter &layer) { return layer.gateUp || layer.down; });
    call.adapterRank = adapted ? spec.adapterRank : 0; // of all layers alike: they share the workspace
    call.gateUpAdapter = adapter("gate_up_lora"), call.downAdapter = adapter("down_lora");
    call.out = static_cast<float *>(at.data(launch, "out"));
    call.accumulate = launch.value("residual") >= 0;
    call.alpha = static_cast<float>(launch.numbers.at("alpha"));
    call.limit = static_cast<float>(launch.numbers.at("limit"));
    if (!workspace) {
      Result<int64_t> bytes = expertsWorkspace(call);
      if (!bytes)
        return bytes.error();
      Result<void *> memory = allocate(static_cast<size_t>(std::max<int64_t>(*bytes, 16)));
      Result<int64_t> barrierBytes = expertsBarrierBytes(call);
      if (!barrierBytes)
        return barrierBytes.error();
      Result<void *> words = memory ? allocate(static_cast<size_t>(*barrierBytes)) : memory;
      if (!words)
        return words.error();
      workspace = *memory, barrier = static_cast<uint32_t *>(*words);
      if (Result<void> loaded = loadExperts(call); !loaded)
        return loaded;
    }
    call.workspace = workspace, call.barrier = barrier;
    Prepared prepared;
    prepared.name = launch.kernel;
    prepared.experts = call;
    launches.push_back(std::move(prepared));
    return {};
  }

  Result<void> prepare() {
    Result<KernelPtr> kernel = kernels();
    if (!kernel)
      return kernel.error();
    void *workspace = nullptr;
    uint32_t *barrier = nullptr;
    for (const StepLaunch &launch : program.launches) {
      Result<void> added;
      if (launch.op == StepOp::Attention) {
        added = addAttention(launch);
      } else if (launch.op == StepOp::Experts) {
        added = addExperts(launch, workspace, barrier);
      } else {
        Prepared prepared;
        prepared.name = launch.kernel;
        prepared.kernel = *kernel;
        prepared.entry = launch.entry;
        prepared.grid = gridOf(launch);
        prepared.args = fillArgs(memory(), launch);
        if (auto *sample = std::get_if<device::SampleArgs>(&prepared.args))
          added = addSearch(*sample);
        if (launch.op == StepOp::LinearSm90) {
          Result<LinearMaps> maps = linearMaps(launch, std::get<device::LinearArgs>(prepared.args), setup.spec.dtype);
          if (!maps)
            return maps.error();
          prepared.maps = *maps;
        }
        launches.push_back(std::move(prepared));
      }
      if (!added)
        return added;
    }
    return {};
  }
};

Step::Step(std::unique_ptr<const Impl> impl) : impl(std::move(impl)) {}
Step::~Step() = default;

Result<std::shared_ptr<const Step>> Step::make(StepSetup setup) {
  Result<cuda::DeviceTarget> here = cuda::currentTarget();
  if (!here)
    return here.error();
  setup.spec.arch = here->target.arch;
  Result<StepProgram> program = emitStep(setup.spec);
  if (!program)
    return program.error();
  auto impl = std::make_unique<Impl>(Impl{std::move(setup), std::move(*program), here->device, here->target, {}, {}});
  for (const Result<void> &done : {impl->checkInputs(), impl->allocateMemories()})
    if (!done)
      return done.error();
  if (Result<void> done = impl->prepare(); !done)
    return done.error();
  return std::shared_ptr<const Step>(std::make_shared<Step>(std::move(impl)));
}

Result<void> Step::launch(size_t index, void *stream) const {
  // Only after another kernel of the step: the first one follows whatever the caller's stream holds.
  return impl->launches[index].launch(stream, index > 0);
}

Result<void> Step::launch(void *stream) const {
  for (size_t i = 0; i < impl->launches.size(); ++i)
    if (Result<void> done = launch(i, stream); !done)
      return done;
  return {};
}

std::vector<std::string> Step::kernels() const {
  std::vector<std::string> names;
  for (const Prepared &each : impl->launches)
    names.push_back(each.name);
  return names;
}

const SharedPromptsLayout &Step::sharedPrompts() const { return impl->shared; }
const StepSpec &Step::spec() const { return impl->setup.spec; }

} // namespace maskjit
