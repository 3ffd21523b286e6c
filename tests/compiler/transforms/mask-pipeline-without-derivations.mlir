// RUN: maskjit-opt %s "-mask-pipeline=keys=false tile-class=false" | FileCheck %s

// A derivation that is switched off leaves no function; the others stay.
// CHECK-NOT: @m.keys
// CHECK-NOT: @m.row
// CHECK: @m.queries
// CHECK-NOT: @m.classify
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
