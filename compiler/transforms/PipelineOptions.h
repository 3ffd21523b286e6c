// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the pipeline over masks derives.
#pragma once

namespace maskjit {

/// Leaving a derivation out makes kernels slower, never wrong.
struct MaskPipelineOptions {
  bool keys = true;      // @m.keys, @m.full_keys, @m.row
  bool queries = true;   // @m.queries, @m.full_queries, @m.column
  bool tileClass = true; // @m.classify
};

} // namespace maskjit
