// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Groups of slots by the pages that they begin with.
#include "model/SharedPages.h"
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<SharedGroup> groups(const std::vector<int64_t> &slots, const std::vector<std::vector<int32_t>> &pages) {
  std::vector<const std::vector<int32_t> *> each;
  for (const std::vector<int32_t> &list : pages)
    each.push_back(&list);
  return groupByPages(slots, each, 64);
}

TEST(SharedPages, AreTheWholePagesThatAllMembersBeginWith) {
  EXPECT_THAT(groups({0, 2, 5}, {{1, 2, 3, 9}, {1, 2, 3, 7, 8}, {1, 2, 3}}), ElementsAre(SharedGroup{192, {0, 2, 5}}));
  EXPECT_THAT(groups({0, 1, 2}, {{1, 2, 3}, {1, 2, 4}, {1, 5, 6}}), ElementsAre(SharedGroup{64, {0, 1, 2}}));
}

TEST(SharedPages, GroupsStandByThemselvesInWhateverSlots) {
  EXPECT_THAT(groups({1, 3, 4, 6, 9}, {{5, 6}, {1, 2}, {5, 7}, {8}, {1, 2}}),
              ElementsAre(SharedGroup{64, {1, 4}}, SharedGroup{128, {3, 9}}));
}

TEST(SharedPages, NobodySharesNothing) {
  EXPECT_THAT(groups({}, {}), IsEmpty());
  EXPECT_THAT(groups({0, 1, 2}, {{1}, {2}, {3}}), IsEmpty());
  EXPECT_THAT(groups({0, 1}, {{}, {}}), IsEmpty()) << "empty slots have no pages";
  EXPECT_THAT(groups({0, 1}, {{2, 1}, {3, 1}}), IsEmpty()) << "pages further on do not count";
}

} // namespace
} // namespace maskjit
