// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decode steps through the compiler and NVRTC: what is launched, in which memory, and that it compiles everywhere.
#include "compiler/Step.h"
#include "runtime/cache/KernelCache.h"
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <set>
#include <thread>

using namespace maskjit;
using testing::ElementsAre;

static Mask shipped(const std::string &name) {
  Result<Mask> mask = Mask::find(name);
  if (!mask)
    throw std::runtime_error(mask.error().message);
  return *mask;
}

/// gpt-oss-20b, of some of its layers.
static StepSpec spec(const std::string &arch, int64_t slots, int layers = 2) {
  StepSpec spec;
  spec.hidden = 2880, spec.headsQ = 64, spec.headsKv = 8, spec.headDim = 64, spec.experts = 32,
  spec.expertsPerToken = 4;
  spec.intermediate = 2880, spec.vocabulary = 201088, spec.slots = slots, spec.arch = arch;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.masks = {shipped("gpt_oss_sliding"), shipped("gpt_oss_full")};
  for (int layer = 0; layer < layers; ++layer)
    spec.layerMasks.push_back(layer % 2);
  return spec;
}

/// The same with an adapter on all that can have one.
static StepSpec adapted(StepSpec spec, int64_t rank) {
  spec.adapters.assign(spec.layerMasks.size(), {true, true, true, true, true, true}), spec.adapterRank = rank;
  return spec;
}

static StepProgram program(const StepSpec &spec) {
  Result<StepProgram> program = emitStep(spec);
  if (!program)
    throw std::runtime_error(program.error().message);
  return *program;
}

static std::vector<std::string> launches(const StepProgram &program) {
  std::vector<std::string> names;
  for (const StepLaunch &launch : program.launches)
    names.push_back(launch.kernel);
  return names;
}

TEST(StepProgram, FewSlotsTakeFiveLaunchesALayer) {
  EXPECT_THAT(launches(program(spec("sm_90a", 8, 1))),
              ElementsAre("embed", "linear_5120x2880_norm_rope_append", "gpt_oss_sliding", "linear_2880x4096_add",
                          "norm_route", "experts", "linear_201088x2880_norm_wide", "sample"));
}

TEST(StepProgram, TheProductBeforeARouterLeavesItMultiprocessors) {
  const StepProgram few = program(spec("sm_90a", 3, 1)), many = program(spec("sm_90a", 32, 1));
  ASSERT_EQ(few.launches[3].kernel, "linear_2880x4096_add");
  EXPECT_THAT(few.launches[3].sizes.at("left"), ElementsAre(3)) << "a block a row";
  EXPECT_EQ(few.launches[1].sizes.count("left"), 0u);
  for (const StepLaunch &launch : many.launches)
    EXPECT_EQ(launch.sizes.count("left"), 0u) << launch.kernel;
}

TEST(StepProgram, ManySlotsAreNormedOnce) {
  EXPECT_THAT(launches(program(spec("sm_90a", 32, 1))),
              ElementsAre("embed", "norm_rounded", "linear_5120x2880_rope_append", "gpt_oss_sliding",
                          "linear_2880x4096_add", "norm_route", "experts", "norm_rounded", "linear_201088x2880_wide",
                          "sample"));
}

TEST(StepProgram, AnAdapterAddsNoLaunchAndItsRankChangesNoKernel) {
  const StepProgram without = program(spec("sm_90a", 8, 2)), with = program(adapted(spec("sm_90a", 8, 2), 16));
  EXPECT_EQ(with.launches.size(), without.launches.size());
  EXPECT_EQ(with.launches[1].kernel, "linear_5120x2880_lora_norm_rope_append");
  EXPECT_THAT(with.launches[1].sizes.at("lora_tiles"), ElementsAre(1, 1, 1));
  EXPECT_EQ(with.kernels.source, program(adapted(spec("sm_90a", 8, 2), 64)).kernels.source);
}

TEST(StepProgram, AnAdapterOfSomeTargetsTakesPartWhereItIs) {
  StepSpec some = adapted(spec("sm_90a", 1, 2), 32);
  some.adapters = {{true, false, true, false}, {}};
  const StepProgram p = program(some);
  EXPECT_THAT(p.launches[1].sizes.at("lora_tiles"), ElementsAre(2, 0, 2));
  EXPECT_EQ(p.launches[3].kernel, "linear_2880x4096_add");
  EXPECT_EQ(p.launches[6].kernel, "linear_5120x2880_norm_rope_append");
}

TEST(StepProgram, ManySlotsOnHopperMultiplyAnAdaptersFirstFactorsBefore) {
  const StepProgram p = program(adapted(spec("sm_90a", 64, 2), 32));
  EXPECT_THAT(launches(program(adapted(spec("sm_90a", 64, 1), 32))),
              ElementsAre("embed", "norm_rounded", "first_factors_96x2880", "linear_5120x2880_lora_rope_append",
                          "gpt_oss_sliding", "first_factors_32x4096", "linear_2880x4096_lora_add", "norm_route",
                          "experts", "norm_rounded", "linear_201088x2880_wide", "sample"));
  const StepLaunch &first = p.launches[2], &product = p.launches[3];
  EXPECT_EQ(first.op, StepOp::Linear);
  EXPECT_EQ(product.op, StepOp::LinearSm90);
  EXPECT_EQ(product.values.at("low"), first.values.at("outs"));
  EXPECT_THAT(product.sizes.at("adapted"), ElementsAre(1, 1, 1));
  EXPECT_EQ(product.values.at("turns"), p.launches[0].values.at("turns")) << "cosines and sines of the embedding";
}

TEST(StepProgram, MatricesThatHoppersTilesDoNotDivideTakeTheKernelOfFewRows) {
  for (auto [arch, dtype] : {std::pair("sm_80", DType::BF16), {"sm_90a", DType::F16}}) {
    StepSpec other = spec(arch, 64, 1);
    other.dtype = dtype;
    for (const StepLaunch &launch : program(other).launches)
      EXPECT_NE(launch.op, StepOp::LinearSm90) << arch;
  }
  StepSpec odd = spec("sm_90a", 64, 1);
  odd.vocabulary = 201088 - 32;
  const StepProgram p = program(odd);
  EXPECT_EQ(p.launches[2].op, StepOp::LinearSm90);
  EXPECT_EQ(p.launches[p.launches.size() - 2].op, StepOp::Linear);
}

TEST(StepProgram, ExpertsInNf4AreReadAsTheyAreHeld) {
  StepSpec nf4 = spec("sm_90a", 8, 2);
  nf4.expertsFormat = WeightFormat::Nf4;
  const std::string down = "model.layers.1.mlp.experts.down_proj";
  nf4.nf4 = {{"model.layers.1.mlp.experts.gate_up_proj", true}, {down, true}};
  const StepProgram p = program(nf4);
  std::vector<std::vector<std::string>> inputs;
  for (const StepLaunch &launch : p.launches)
    if (launch.op == StepOp::Experts) {
      inputs.emplace_back();
      for (int value : launch.values.at("down"))
        inputs.back().push_back(p.values[value].input);
    }
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[0].size(), 4u) << "absmax in fp32";
  EXPECT_THAT(inputs[1], ElementsAre(down + ".codes", down + ".table", down + ".absmax", down + ".nested_table",
                                     down + ".nested_absmax", down + ".nested_offset", down + "_bias"));
}

TEST(StepProgram, LayersShareKernelsAndMemory) {
  const StepProgram two = program(spec("sm_90a", 1, 2)), many = program(spec("sm_90a", 1, 24));
  EXPECT_EQ(two.kernels.source, many.kernels.source);
  EXPECT_EQ(two.kernels.key, many.kernels.key);
  EXPECT_EQ(two.memories, many.memories);
  EXPECT_EQ(many.launches.size(), 24 * 5 + 3u);
}

/// No launch may write memory that a later launch reads under another value.
TEST(StepProgram, MemoryIsReusedOnlyWhenNothingNeedsIt) {
  const StepProgram p = program(spec("sm_80", 16, 4));
  const std::set<std::string> written = {"rows",    "positions", "lengths", "out", "outs",
                                         "experts", "scores",    "normal",  "lse"};
  std::map<int, int> holder; // memory -> value
  for (const StepLaunch &launch : p.launches) {
    const bool positionsAreRead = launch.op != StepOp::Embed, rowsAreRead = launch.op == StepOp::Add;
    auto writes = [&](const std::string &role) {
      return written.count(role) && !(role == "positions" && positionsAreRead) && !(role == "rows" && rowsAreRead) &&
             !(role == "scores" && launch.op == StepOp::Experts);
    };
    for (const auto &[role, values] : launch.values)
      for (int value : values)
        if (p.values[value].memory >= 0 && p.values[value].input.empty() && !writes(role) &&
            holder.count(p.values[value].memory))
          EXPECT_EQ(holder[p.values[value].memory], value) << launch.kernel << " reads " << role;
    for (const auto &[role, values] : launch.values)
      for (int value : values)
        if (p.values[value].memory >= 0 && writes(role))
          holder[p.values[value].memory] = value;
  }
}

TEST(StepProgram, SaysWhatItCannotTake) {
  StepSpec odd = spec("sm_90a", 1);
  odd.vocabulary = 1001;
  Result<StepProgram> refused = emitStep(odd);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "hidden and intermediate must be multiples of 32, head dimension and vocabulary of "
            "16; got 2880, 2880, 64 and 1001");
}

TEST(StepKernels, CompileForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  // The first layer with an adapter, the second without: kernels of both kinds.
  const auto both = [](const std::string &arch, int64_t slots) {
    StepSpec mixed = adapted(spec(arch, slots), 16);
    mixed.adapters.back() = {};
    return mixed;
  };
  std::vector<StepSpec> jobs;
  for (const std::string &arch : architectures())
    jobs.push_back(both(arch, 8));
  for (auto [arch, slots] : {std::pair("sm_75", 32), {"sm_90a", 32}, {"sm_90a", 64}, {"sm_90a", 256}})
    jobs.push_back(both(arch, slots)); // Hopper's products of many rows: their least and their largest tiles
  StepSpec small = spec("sm_90a", 4);  // the test fixtures'
  small.hidden = 128, small.headsQ = 4, small.headsKv = 2, small.experts = 8, small.intermediate = 64,
  small.vocabulary = 512;
  jobs.push_back(small);
  // With an adapter these matrices have the kernel of few rows, without one that of many: both in one file.
  small.slots = 32, small.headsKv = 1;
  jobs.push_back(adapted(small, 16));
  jobs.back().adapters.back() = {};
  for (auto [arch, slots] : {std::pair("sm_75", 8), {"sm_75", 32}, {"sm_90a", 8}, {"sm_90a", 16}}) {
    jobs.push_back(spec(arch, slots));
    for (const char *name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      for (int layer : {0, 1}) // one of each kind
        jobs.back().nf4[fmt::format("model.layers.{}.self_attn.{}", layer, name)] = layer == 1;
    jobs.back().nf4["lm_head"] = true;
    jobs.back() = adapted(jobs.back(), 16);
    jobs.back().adapters.front() = {};
  }
  std::vector<Result<CompiledCuda>> compiled(jobs.size(), Error{"not compiled"});
  std::vector<StepProgram> programs;
  for (const StepSpec &job : jobs)
    programs.push_back(program(job));
  auto work = [&](size_t first) {
    for (size_t i = first; i < jobs.size(); i += 2)
      compiled[i] = Nvrtc::load()->compile(programs[i].kernels.source, "step.cu", jobs[i].arch, deviceHeaders(),
                                           programs[i].kernels.options);
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(jobs[i].arch + ", slots " + std::to_string(jobs[i].slots));
    ASSERT_TRUE(compiled[i]) << compiled[i].error().message;
    ASSERT_EQ(compiled[i]->resources.size(), programs[i].kernels.entries.size());
    for (const KernelResources &used : compiled[i]->resources)
      for (const CudaKernel::Entry &entry : programs[i].kernels.entries)
        if (entry.name == used.entry) {
          // Bytes a thread, before the loops; 1024 threads have 64 registers, too few for the sampler's searches.
          // An adapter's slices are added once a tile, between the loops.
          const bool adapted = entry.name.find("_lora") != std::string::npos;
          EXPECT_LE(used.spillStores + used.spillLoads, entry.name == "step_sample" ? 512
                                                        : adapted                   ? 256
                                                                                    : 128)
              << entry.name;
          EXPECT_LE(used.registers * entry.threads, 65536) << entry.name;
          const int limit = jobs[i].arch == "sm_75" ? 64 : jobs[i].arch == "sm_90a" ? 227 : 99; // the least of a family
          EXPECT_LE(used.sharedBytes + entry.sharedBytes, limit * 1024) << entry.name;
        }
  }
}
