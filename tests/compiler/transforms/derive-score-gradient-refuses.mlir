// RUN: maskjit-opt %s -verify-diagnostics -mask-derive-score-gradient

mask.func @m.score(%s: f32, %b: index, %h: index, %q: index, %k: index) -> f32 {
  // expected-error@+1 {{'math.floor' op has no derivative by the score; write the score clause without it}}
  %r = math.floor %s : f32
  mask.return %r : f32
}
