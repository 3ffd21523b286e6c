// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Derived functions are evaluated from their IR; where one is absent, nothing is known.
#include "compiler/frontend/MaskFromIr.h"
#include <gtest/gtest.h>

using namespace maskjit;

namespace {

constexpr const char *kPredicate = R"(
  mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
      #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
    %0 = mask.cmp le, %k, %q
    mask.return %0 : i1
  })";

/// Derived functions that only the evaluation is tested with.
constexpr const char *kDerived = R"(
  mask.func @m.keys(%b: index, %h: index, %q0: index, %q1: index) -> (index, index) attributes {params = [
      #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
    %d = mask.load "documents"[%q0] : index
    %begin = mask.search "documents" ge %d
    %c = mask.constant 1 : index
    %next = mask.add %d, %c
    %end = mask.search "documents" ge %next
    mask.return %begin, %end : index, index
  }
  mask.func @m.row(%b: index, %h: index, %q: index) -> (index, index) attributes {params = [
      #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
    %size = mask.size "documents"
    %big = mask.constant 4611686018427387904 : index
    %0 = mask.mul %q, %big
    %1 = mask.floordiv %0, %big
    %2 = mask.cmp gt, %1, %size
    %3 = mask.select %2, %size, %1 : index
    mask.return %3, %size : index, index
  }
  mask.func @m.classify(%b: index, %h: index, %q0: index, %q1: index, %k0: index, %k1: index) -> (i1, i1) attributes {params = [
      #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
    %any = mask.cmp lt, %k0, %q1
    %all = mask.cmp le, %k1, %q0
    mask.return %any, %all : i1, i1
  })";

MaskEvaluator evaluator(const std::string &derived) {
  Result<Mask> mask = maskFromIr(kPredicate, kPredicate + derived);
  EXPECT_TRUE(mask) << mask.error().message;
  static const int32_t documents[] = {3, 3, 3, 5, 5, 9};
  Result<MaskEvaluator> bound = MaskEvaluator::bind(*mask, {{documents, 0, 6}}, 1);
  EXPECT_TRUE(bound) << bound.error().message;
  return *bound;
}

bool same(Range a, Range b) { return a.begin == b.begin && a.end == b.end; }

} // namespace

TEST(DerivedFunctions, RangesBySearch) {
  const MaskEvaluator mask = evaluator(kDerived);
  EXPECT_TRUE(same(mask.keys(0, 0, {1, 2}), {0, 3}));
  EXPECT_TRUE(same(mask.keys(0, 0, {3, 4}), {3, 5}));
  EXPECT_TRUE(same(mask.keys(0, 0, {5, 6}), {5, 6}));
}

TEST(DerivedFunctions, ProductsBeyond64BitsAreExact) {
  const MaskEvaluator mask = evaluator(kDerived);
  EXPECT_TRUE(same(*mask.row(0, 0, 4), {4, 6}));
  EXPECT_TRUE(same(*mask.row(0, 0, 7), {6, 6}));
}

TEST(DerivedFunctions, Classes) {
  const MaskEvaluator mask = evaluator(kDerived);
  EXPECT_EQ(mask.classify(0, 0, {0, 4}, {4, 8}), TileClass::Empty);
  EXPECT_EQ(mask.classify(0, 0, {0, 4}, {0, 4}), TileClass::Partial);
  EXPECT_EQ(mask.classify(0, 0, {4, 8}, {0, 4}), TileClass::Full);
}

TEST(DerivedFunctions, AbsentOnesKnowNothing) {
  const MaskEvaluator mask = evaluator("");
  EXPECT_TRUE(same(mask.keys(0, 0, {1, 2}), {0, 1 << 28}));
  EXPECT_TRUE(same(mask.queries(0, 0, {1, 2}), {0, 1 << 28}));
  EXPECT_TRUE(mask.fullKeys(0, 0, {1, 2}).empty());
  EXPECT_TRUE(mask.fullQueries(0, 0, {1, 2}).empty());
  EXPECT_FALSE(mask.row(0, 0, 1));
  EXPECT_FALSE(mask.column(0, 0, 1));
  EXPECT_EQ(mask.classify(0, 0, {0, 4}, {0, 4}), TileClass::Partial);
}
