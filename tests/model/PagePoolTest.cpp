// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pages are handed out once, shared by count, and come back when their last user is gone.
#include "model/PagePool.h"
#include "tests/model/TensorFile.h"
#include <algorithm>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(PagePool, HandsOutEachPageOnceAndNeverPageZero) {
  PagePool pool(5);
  std::vector<int32_t> all = pool.take(2), more = pool.take(3);
  all.insert(all.end(), more.begin(), more.end());
  std::sort(all.begin(), all.end());
  EXPECT_THAT(all, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(pool.available(), 0);
}

TEST(PagePool, TakesBackAPageWithItsLastUser) {
  PagePool pool(3);
  const std::vector<int32_t> pages = pool.take(2);
  pool.share({pages[0]});
  pool.release(pages);
  EXPECT_EQ(pool.available(), 2);
  pool.release({pages[0]});
  EXPECT_EQ(pool.available(), 3);
}

TEST(PagePool, SaysWhatIsMissing) {
  PagePool pool(3);
  pool.take(1);
  EXPECT_THAT(messageOf([&] { pool.take(3); }), HasSubstr("has 2 free pages, 3 are needed"));
  EXPECT_EQ(pool.available(), 2);
}

} // namespace
} // namespace maskjit
