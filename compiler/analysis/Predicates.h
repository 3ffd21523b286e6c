// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Algebra of comparisons.
#pragma once
#include "dialects/mask/MaskDialect.h"

namespace maskjit {

/// not (x p y)  <=>  x opposite(p) y
inline mask::Predicate opposite(mask::Predicate predicate) {
  using mask::Predicate;
  switch (predicate) {
  case Predicate::eq: return Predicate::ne;
  case Predicate::ne: return Predicate::eq;
  case Predicate::lt: return Predicate::ge;
  case Predicate::le: return Predicate::gt;
  case Predicate::gt: return Predicate::le;
  case Predicate::ge: return Predicate::lt;
  }
  llvm_unreachable("all predicates are listed");
}

/// x p y  <=>  y swapped(p) x
inline mask::Predicate swapped(mask::Predicate predicate) {
  using mask::Predicate;
  switch (predicate) {
  case Predicate::lt: return Predicate::gt;
  case Predicate::le: return Predicate::ge;
  case Predicate::gt: return Predicate::lt;
  case Predicate::ge: return Predicate::le;
  default: return predicate;
  }
}

} // namespace maskjit
