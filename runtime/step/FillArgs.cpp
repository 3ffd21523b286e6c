// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One function for each kind of kernel, which reads the roles that compiler/codegen/cuda/EmitStep.cpp writes.
#include "runtime/step/FillArgs.h"

namespace maskjit {

void *StepMemory::data(int value) const {
  if (value < 0)
    return nullptr;
  const StepValue &v = program.values[value];
  return v.input.empty() ? memories[v.memory] : inputs.at(v.input).data;
}

int pageShift(int64_t pageSize) {
  int shift = 0;
  while ((int64_t(1) << shift) < pageSize)
    ++shift;
  return shift;
}

namespace {

constexpr int kPieceBytes = 16; // that a thread clears

/// Reads one launch.
struct Reader {
  const StepMemory &memory;
  const StepLaunch &launch;

  template <class T = void> T *pointer(const char *role) const { return static_cast<T *>(memory.data(launch, role)); }
  int size(const char *name) const { return static_cast<int>(launch.sizes.at(name).front()); }
  float number(const char *name) const { return static_cast<float>(launch.numbers.at(name)); }
  const std::vector<int> &values(const char *role) const {
    static const std::vector<int> none;
    auto at = launch.values.find(role);
    return at == launch.values.end() ? none : at->second;
  }

  device::CachePages cache() const {
    const int key = launch.value("key_pages"), table = launch.value("table");
    if (key < 0)
      return {};
    return {pointer("key_pages"), pointer("value_pages"), pointer<const int>("table"), memory.input(table).stride,
            pageShift(memory.input(key).pageSize)};
  }

  device::EmbedArgs embed() const {
    return {pointer<const int>("tokens"),
            pointer<const int>("written"),
            pointer<const int>("active"),
            pointer("table"),
            pointer<float>("rows"),
            pointer<int>("positions"),
            pointer<int>("lengths"),
            pointer("cleared"),
            size("cleared_bytes") / kPieceBytes,
            pointer<const float>("frequencies"),
            pointer<float>("turns"),
            launch.value("turns") < 0 ? 1 : number("rope_scale"),
            launch.value("turns") < 0 ? 0 : size("pairs"),
            memory.rows,
            size("features")};
  }
  device::NormArgs norm() const {
    return {
        pointer<const float>("input"), pointer("weight"), pointer("out"), number("eps"), memory.rows, size("features")};
  }
  device::RopeArgs rope() const {
    return {pointer("input"),
            pointer<const int>("positions"),
            pointer<const float>("frequencies"),
            pointer("out"),
            number("scale"),
            memory.rows,
            size("features"),
            size("head")};
  }
  device::AppendArgs append() const {
    return {pointer("key"), pointer("value"), pointer<const int>("positions"), cache(), memory.rows,
            size("heads"),  size("head")};
  }
  device::AddArgs add() const {
    return {pointer<const float>("residual"), pointer("rows"), pointer<float>("out"), memory.rows, size("features")};
  }
  device::RouteArgs route() const {
    device::RouteArgs args = {};
    args.input = pointer<const float>("input");
    args.norm = pointer("norm");
    args.eps = number("eps");
    args.weight = pointer("weight"), args.bias = pointer("bias");
    args.positions = pointer<const int>("positions");
    args.experts = pointer<int>("experts"), args.scores = pointer<float>("scores"), args.normal = pointer("normal");
    args.rows = memory.rows;
    return args;
  }

  device::LinearArgs linear() const {
    device::LinearArgs args = {};
    args.input = pointer("input");
    args.norm = pointer("norm");
    args.eps = number("eps");
    const std::vector<int64_t> &tiles = launch.sizes.at("tiles");
    const auto rotate = launch.sizes.find("rotate");
    for (size_t m = 0; m < device::kMostMatrices; ++m) {
      args.first_tile[m + 1] = args.first_tile[m] + static_cast<int>(m < tiles.size() ? tiles[m] : 0);
      if (m < values("weights").size())
        args.weight[m] = memory.data(values("weights")[m]);
      if (m < values("biases").size())
        args.bias[m] = memory.data(values("biases")[m]);
      if (m < values("outs").size())
        args.out[m] = memory.data(values("outs")[m]);
      if (rotate != launch.sizes.end() && m < rotate->second.size())
        args.rotate[m] = static_cast<int>(rotate->second[m]);
    }
    args.residual = pointer<const float>("residual");
    args.positions = pointer<const int>("positions");
    args.frequencies = pointer<const float>("frequencies");
    args.rope_scale = number("rope_scale");
    args.turns = pointer<const float>("turns");
    args.cache = cache();
    args.adapter = launch.op == StepOp::LinearSm90 ? secondFactors() : adapter();
    args.rows = memory.rows;
    return args;
  }
  device::LinearAdapter adapter() const {
    device::LinearAdapter adapter = {};
    const auto tiles = launch.sizes.find("lora_tiles");
    if (tiles == launch.sizes.end())
      return adapter;
    adapter.rank = size("rank");
    adapter.low = pointer<char>("low") + launch.sizes.at("low_at").front() * memory.rows;
    size_t pair = 0;
    for (size_t m = 0; m < device::kMostMatrices; ++m) {
      const int64_t here = m < tiles->second.size() ? tiles->second[m] : 0;
      adapter.first_tile[m + 1] = adapter.first_tile[m] + static_cast<int>(here);
      if (here == 0)
        continue;
      adapter.a[m] = memory.data(values("lora_a")[pair]), adapter.b[m] = memory.data(values("lora_b")[pair]);
      ++pair;
    }
    return adapter;
  }

  /// In the place of the first factors are their results, which another launch has left.
  device::LinearAdapter secondFactors() const {
    device::LinearAdapter adapter = {};
    const auto adapted = launch.sizes.find("adapted");
    if (adapted == launch.sizes.end())
      return adapter;
    adapter.rank = size("rank");
    size_t pair = 0;
    for (size_t m = 0; m < adapted->second.size(); ++m)
      if (adapted->second[m]) {
        adapter.a[m] = memory.data(values("low")[pair]), adapter.b[m] = memory.data(values("lora_b")[pair]);
        ++pair;
      }
    return adapter;
  }

  device::LinearNf4StepArgs linearNf4() const {
    device::LinearNf4StepArgs args = {};
    args.linear = linear();
    auto each = [&](const char *role, auto place) {
      for (size_t m = 0; m < values(role).size() && m < device::kMostMatrices; ++m)
        place(args.matrix[m]) =
            static_cast<std::decay_t<decltype(place(args.matrix[m]))>>(memory.data(values(role)[m]));
    };
    each("weights", [](device::Nf4Matrix &m) -> auto & { return m.codes; });
    each("tables", [](device::Nf4Matrix &m) -> auto & { return m.table; });
    each("absmax", [](device::Nf4Matrix &m) -> auto & { return m.absmax; });
    each("nested_tables", [](device::Nf4Matrix &m) -> auto & { return m.nested_table; });
    each("nested_absmax", [](device::Nf4Matrix &m) -> auto & { return m.nested_absmax; });
    each("nested_offsets", [](device::Nf4Matrix &m) -> auto & { return m.nested_offset; });
    return args;
  }

  device::SampleArgs sample() const {
    const StepSampling &s = memory.sampling;
    const device::SampleFilters filters = {static_cast<float>(s.temperature),
                                           static_cast<int>(s.topK),
                                           static_cast<float>(s.topP),
                                           static_cast<float>(s.minP),
                                           static_cast<float>(s.repetitionPenalty),
                                           s.seed};
    return {pointer<const float>("logits"),
            pointer<const int>("positions"),
            pointer<const long long>("sequences"),
            pointer<int>("tokens"),
            pointer<int>("written"),
            pointer<unsigned char>("seen"),
            pointer<int>("drawn"),
            pointer<float>("log_probs"),
            pointer<device::SamplePart>("parts"),
            pointer<unsigned>("finished"),
            nullptr, // search: the launcher's, only with filters
            filters,
            memory.rows,
            size("vocabulary")};
  }
};

} // namespace

StepArgs fillArgs(const StepMemory &memory, const StepLaunch &launch) {
  const Reader read{memory, launch};
  switch (launch.op) {
  case StepOp::Embed:
    return read.embed();
  case StepOp::Norm:
    return read.norm();
  case StepOp::Linear:
  case StepOp::LinearSm90:
    return read.linear();
  case StepOp::LinearNf4:
    return read.linearNf4();
  case StepOp::Rope:
    return read.rope();
  case StepOp::Append:
    return read.append();
  case StepOp::Add:
    return read.add();
  case StepOp::Route:
    return read.route();
  case StepOp::Sample:
  case StepOp::Attention: // have blocks of their own
  case StepOp::Experts:
    break;
  }
  return read.sample();
}

} // namespace maskjit
