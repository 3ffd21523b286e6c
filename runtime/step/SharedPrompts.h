// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which slots of a step attend the first pages of their sequences together: the host's groups as the table that the
// kernel of SharedDecode.h reads.
#pragma once
#include <cstdint>
#include <vector>

namespace maskjit {
namespace device {
struct AttentionArgs;
}

/// Slots whose sequences begin with the same `keys` keys in the same pages.
struct SharedGroup {
  int64_t keys = 0;
  std::vector<int64_t> slots;
  bool operator==(const SharedGroup &other) const { return keys == other.keys && slots == other.slots; }
};

/// What a step's launches fix.
struct SharedPromptsLayout {
  int64_t slots = 0, headsKv = 0, headsPerKeyHead = 0;
  int64_t blocks = 0;     // of the grid that attend prefixes
  int64_t mostSplits = 0; // that a prefix may be cut into
};

/// Words of the table: its header, the first own key of each slot, the prefixes.
int64_t sharedPromptsWords(int64_t slots);
/// The table for these groups, no slot in two of them. More members than a tile has rows for are dealt out to several.
/// Short prefixes are left out; if fewer than `leastSaved` keys of one key head are all in all spared from being read
/// again, the table is empty.
std::vector<int32_t> sharedPromptsTable(const std::vector<SharedGroup> &groups, const SharedPromptsLayout &layout,
                                        int64_t leastSaved);
/// How many slots have a prefix in a table.
int64_t sharingSlots(const std::vector<int32_t> &table, const SharedPromptsLayout &layout);
/// What emitSharedDecode takes.
inline constexpr int64_t kMostSharedHeadDim = 128, kMostSharedHeads = 32;
inline constexpr int64_t kLeastSavedKeys = 65536; // measured: bench/README.md

/// Points `args` at a table in device memory.
void bindSharedPrompts(device::AttentionArgs &args, const void *table, const SharedPromptsLayout &layout);

} // namespace maskjit
