// RUN: maskjit-opt %s -verify-diagnostics -mask-specialize=values=window:3

// expected-error@below {{expected values=<parameter>=<integer>, got 'window:3'}}
module {
}
