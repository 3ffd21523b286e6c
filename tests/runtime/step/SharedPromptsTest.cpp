// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of shared prefixes, word for word, and the kernels that read it, compiled for every architecture.
#include "runtime/step/SharedPrompts.h"
#include "compiler/SharedDecode.h"
#include "compiler/device/attention_args.h"
#include "runtime/step/SharedDecode.h"
#include <gmock/gmock.h>
#include <numeric>

using namespace maskjit;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

SharedPromptsLayout layout(int64_t slots) { return {slots, 8, 8, 396, 32}; }

SharedGroup group(int64_t keys, int64_t first, int64_t members) {
  SharedGroup made{keys, std::vector<int64_t>(members)};
  std::iota(made.slots.begin(), made.slots.end(), first);
  return made;
}

/// A table as kernels see it.
struct Read {
  std::vector<int32_t> words;
  device::AttentionArgs args{};
  Read(const std::vector<SharedGroup> &groups, const SharedPromptsLayout &of, int64_t leastSaved = 0)
      : words(sharedPromptsTable(groups, of, leastSaved)) {
    EXPECT_EQ(int64_t(words.size()), sharedPromptsWords(of.slots));
    bindSharedPrompts(args, words.data(), of);
  }
  std::vector<int> members(int prefix) const {
    const device::SharedPrefix &p = args.prefixes[prefix];
    return {p.slots, p.slots + p.members};
  }
};

} // namespace

TEST(SharedPrompts, TableSaysWhoAttendsWhatTogether) {
  const Read read({{4096, {1, 4, 6}}, {1024, {0, 5}}}, layout(8));
  EXPECT_EQ(read.args.shared_header[0], 2);
  EXPECT_EQ(read.args.shared_header[1], 396 / 16); // parts: as many as there are blocks for
  EXPECT_THAT(std::vector<int>(read.args.first_key, read.args.first_key + 8),
              ElementsAre(1024, 4096, 0, 0, 4096, 1024, 4096, 0));
  EXPECT_THAT(read.members(0), ElementsAre(1, 4, 6));
  EXPECT_THAT(read.members(1), ElementsAre(0, 5));
  EXPECT_EQ(read.args.prefixes[0].keys, 4096);
  EXPECT_EQ(read.args.shared_splits, 32);
}

TEST(SharedPrompts, PartsAreBoundByKeysBlocksAndRoom) {
  EXPECT_EQ(Read({group(512, 0, 8)}, layout(8)).args.shared_header[1], 4); // of 128 keys
  EXPECT_EQ(Read({group(16384, 0, 8)}, layout(8)).args.shared_header[1], 32);
  std::vector<SharedGroup> many;
  for (int64_t i = 0; i < 64; ++i)
    many.push_back(group(4096, 4 * i, 4));
  EXPECT_EQ(Read(many, layout(256)).args.shared_header[1], 1);
}

TEST(SharedPrompts, MoreMembersThanRowsAreDealtOut) {
  const Read read({group(1024, 0, 19)}, layout(20)); // 64 rows of 8 heads: 8 members
  EXPECT_EQ(read.args.shared_header[0], 3);
  EXPECT_EQ(read.members(0).size() + read.members(1).size() + read.members(2).size(), 19u);
  EXPECT_LE(read.members(2).size(), 7u);
  EXPECT_EQ(read.args.first_key[18], 1024);
  EXPECT_EQ(read.args.first_key[19], 0);
  SharedPromptsLayout one = layout(40); // a head a key head: the list of slots is the bound
  one.headsPerKeyHead = 1;
  EXPECT_EQ(Read({group(1024, 0, 32)}, one).args.shared_header[0], 2);
}

TEST(SharedPrompts, WhatSavesLittleIsNotShared) {
  EXPECT_EQ(Read({group(1024, 0, 8)}, layout(8), 7 * 1024 * 8).args.shared_header[0], 1);
  const Read little({group(1024, 0, 8)}, layout(8), 7 * 1024 * 8 + 1);
  EXPECT_EQ(little.args.shared_header[0], 0);
  EXPECT_EQ(little.args.first_key[0], 0);
  EXPECT_EQ(Read({group(64, 0, 8)}, layout(8)).args.shared_header[0], 0) << "a page";
  EXPECT_EQ(Read({group(1024, 0, 1)}, layout(8)).args.shared_header[0], 0) << "one sequence";
}

static KernelSpec spec(const std::string &arch, int headDim = 64, int heads = 8) {
  KernelSpec spec;
  spec.phase = Phase::Decode;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.arch = arch, spec.headDim = headDim, spec.headsPerKeyHead = heads;
  return spec;
}

TEST(SharedDecode, RefusesWhatHasNoKernel) {
  const Mask full = *Mask::find("gpt_oss_full");
  EXPECT_THAT(emitSharedDecode(full, spec("sm_90a", 256)).error().message, HasSubstr("head dim 32, 64, 96 or 128"));
  EXPECT_THAT(emitSharedDecode(full, spec("sm_90a", 64, 33)).error().message, HasSubstr("1 to 32 query heads"));
  const Mask global = *Mask::parse("mask m(q, k) = k <= q && (k < 4 || q - k < 8)", "m.mask");
  EXPECT_THAT(emitSharedDecode(global, spec("sm_90a")).error().message, HasSubstr("one interval of keys"));
}

TEST(SharedDecode, CompilesForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  std::vector<KernelSpec> jobs;
  for (const std::string &arch : architectures())
    jobs.push_back(spec(arch));
  for (auto [headDim, heads] : {std::pair(32, 1), {96, 3}, {128, 8}})
    jobs.push_back(spec(headDim == 96 ? "sm_75" : "sm_90a", headDim, heads));
  for (const KernelSpec &job : jobs) {
    SCOPED_TRACE(job.arch + " " + std::to_string(job.headDim));
    const Result<KernelImagePtr> image = compileKernel(sharedDecodeRequest(*Mask::find("gpt_oss_full"), job));
    ASSERT_TRUE(image) << image.error().message;
    ASSERT_EQ((*image)->resources.size(), 2u);
    for (const KernelResources &used : (*image)->resources)
      EXPECT_LE(used.spillStores + used.spillLoads, 32) << used.entry;
    EXPECT_LE((*image)->entries[0].sharedBytes, job.arch == "sm_75" ? 65536 : 101376);
  }
}
