// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The layout of the table is that of the pointers in device::AttentionArgs, one part after the other.
#include "runtime/step/SharedPrompts.h"
#include "compiler/device/attention_args.h"
#include <algorithm>

namespace maskjit {
namespace {

static_assert(kMostSharedHeads == device::kSharedRows / 2);
constexpr int64_t kHeaderWords = 2, kPrefixWords = sizeof(device::SharedPrefix) / sizeof(int32_t);
constexpr int64_t kLeastSharedKeys = 128; // of a prefix; below it its tile costs more than the keys
constexpr int64_t kKeysOfSplit = 128;     // with fewer there is more to merge than to gain

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

} // namespace

int64_t sharedPromptsWords(int64_t slots) { return kHeaderWords + slots + slots * kPrefixWords; }

std::vector<int32_t> sharedPromptsTable(const std::vector<SharedGroup> &groups, const SharedPromptsLayout &layout,
                                        int64_t leastSaved) {
  const int64_t most = std::min<int64_t>(device::kMostSharers, device::kSharedRows / layout.headsPerKeyHead);
  std::vector<SharedGroup> tiles;
  int64_t saved = 0, longest = 0;
  for (const SharedGroup &group : groups) {
    const int64_t members = group.slots.size();
    if (members < 2 || most < 2 || group.keys < kLeastSharedKeys)
      continue;
    const int64_t count = ceilDiv(members, most);
    for (int64_t i = 0; i < count; ++i) {
      const auto begin = group.slots.begin();
      tiles.push_back({group.keys, {begin + i * members / count, begin + (i + 1) * members / count}});
    }
    saved += (members - count) * group.keys * layout.headsKv;
    longest = std::max(longest, group.keys);
  }
  std::vector<int32_t> table(sharedPromptsWords(layout.slots), 0);
  table[1] = 1;
  if (tiles.empty() || saved < leastSaved)
    return table;
  const int64_t units = static_cast<int64_t>(tiles.size()) * layout.headsKv;
  table[0] = static_cast<int32_t>(tiles.size());
  table[1] = static_cast<int32_t>(
      std::clamp<int64_t>(std::min(layout.blocks / units, ceilDiv(longest, kKeysOfSplit)), 1, layout.mostSplits));
  auto prefix = table.begin() + kHeaderWords + layout.slots;
  for (const SharedGroup &tile : tiles) {
    prefix[0] = static_cast<int32_t>(tile.keys), prefix[1] = static_cast<int32_t>(tile.slots.size());
    for (size_t i = 0; i < tile.slots.size(); ++i) {
      prefix[2 + i] = static_cast<int32_t>(tile.slots[i]);
      table[kHeaderWords + tile.slots[i]] = static_cast<int32_t>(tile.keys);
    }
    prefix += kPrefixWords;
  }
  return table;
}

int64_t sharingSlots(const std::vector<int32_t> &table, const SharedPromptsLayout &layout) {
  const auto begin = table.begin() + kHeaderWords;
  return std::count_if(begin, begin + layout.slots, [](int32_t firstKey) { return firstKey > 0; });
}

void bindSharedPrompts(device::AttentionArgs &args, const void *table, const SharedPromptsLayout &layout) {
  args.shared_header = static_cast<const int *>(table);
  args.first_key = args.shared_header + kHeaderWords;
  args.prefixes = reinterpret_cast<const device::SharedPrefix *>(args.first_key + layout.slots);
  args.shared_splits = static_cast<int>(layout.mostSplits);
}

} // namespace maskjit
