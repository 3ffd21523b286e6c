// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The drawing of a mask, whole.
#include "compiler/interpreter/ShowMask.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;
using testing::StartsWith;

namespace {
std::string shown(const char *reference, const ShowOptions &options) {
  Result<Mask> mask = Mask::find(reference);
  if (!mask)
    return mask.error().message;
  Result<std::string> text = showMask(*mask, options);
  return text ? *text : text.error().message;
}
} // namespace

TEST(ShowMask, DrawsElements) {
  ShowOptions options;
  options.queries = 6;
  options.keys = 10;
  options.params = {{"window", {3}}, {"q_offset", {2}}};
  options.ascii = true;
  EXPECT_THAT(shown("gpt_oss_sliding", options),
              StartsWith("gpt_oss_sliding(window = 3, q_offset = 2, left_pad = 0, kv_len = 268435456)\n"
                         "\n"
                         "  query \\ key\n"
                         "       0       8\n"
                         "    0  ###.......\n"
                         "    1  .###......\n"
                         "    2  ..###.....\n"
                         "    3  ...###....\n"
                         "    4  ....###...\n"
                         "    5  .....###..\n"));
}

TEST(ShowMask, DrawsTilesWithTheirRanges) {
  ShowOptions options;
  options.queries = options.keys = 16;
  options.tileQueries = options.tileKeys = 4;
  options.ascii = true;
  EXPECT_THAT(shown("causal", options),
              HasSubstr("\ntiles of 4 queries and 4 keys: 6 full (F), 4 partial (p), 6 empty (.)\n"
                        "    0  p...  keys 0..3, full 0..0\n"
                        "    4  Fp..  keys 0..7, full 0..4\n"
                        "    8  FFp.  keys 0..11, full 0..8\n"
                        "   12  FFFp  keys 0..15, full 0..12\n"));
}

TEST(ShowMask, DrawsABatchAndArrays) {
  ShowOptions options;
  options.queries = options.keys = 4;
  options.params = {{"documents", {0, 0, 1, 1}}};
  EXPECT_THAT(shown("packed_documents", options), HasSubstr("    0  █···\n    1  ██··\n    2  ··█·\n    3  ··██\n"));
}

TEST(ShowMask, Refuses) {
  ShowOptions options;
  options.queries = 513;
  EXPECT_EQ(shown("causal", options), "expected queries from 1 to 512, got 513");
  options = {};
  options.params = {{"windw", {3}}};
  EXPECT_EQ(shown("sliding_window", options), "mask 'sliding_window' has no parameter 'windw'; it has window");
  options.params = {{"window", {3, 4}}};
  EXPECT_EQ(shown("sliding_window", options), "parameter 'window' of mask 'sliding_window' is one number, got 2");
  options.params = {{"window", {0.5}}};
  EXPECT_EQ(shown("sliding_window", options),
            "parameter 'window' of mask 'sliding_window' is an integer of 32 bits, got 0.5");
  options.params = {{"window", {0}}};
  EXPECT_EQ(shown("sliding_window", options),
            "parameter 'window' of mask 'sliding_window' lies in 1..268435456, got 0");
}
