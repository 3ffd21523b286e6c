// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A map whose values are made once, by the thread that asks first; others that ask for the same key wait for it.
#pragma once
#include "compiler/Result.h"
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace maskjit {

/// Value: cheap to copy. A value that could not be made is not kept: the next caller tries again.
template <class Key, class Value, class Hash = std::hash<Key>> class OnceMap {
public:
  template <class Make> Result<Value> get(const Key &key, const Make &make) {
    const std::shared_ptr<Slot> slot = slotOf(key);
    if (!slot->ready.load(std::memory_order_acquire)) {
      std::lock_guard<std::mutex> lock(slot->making);
      if (!slot->ready.load(std::memory_order_relaxed)) {
        Result<Value> made = make();
        if (!made)
          return made;
        slot->value = *made;
        slot->ready.store(true, std::memory_order_release);
      }
    }
    return slot->value;
  }

  /// Whether the value of `key` is made.
  bool has(const Key &key) const {
    std::shared_lock<std::shared_mutex> lock(mutex);
    auto at = slots.find(key);
    return at != slots.end() && at->second->ready.load(std::memory_order_acquire);
  }

  void clear() {
    std::unique_lock<std::shared_mutex> lock(mutex);
    slots.clear();
  }

private:
  struct Slot {
    std::atomic<bool> ready{false};
    std::mutex making;
    Value value{};
  };

  std::shared_ptr<Slot> slotOf(const Key &key) {
    {
      std::shared_lock<std::shared_mutex> lock(mutex);
      if (auto at = slots.find(key); at != slots.end())
        return at->second;
    }
    std::unique_lock<std::shared_mutex> lock(mutex);
    std::shared_ptr<Slot> &slot = slots[key];
    if (!slot)
      slot = std::make_shared<Slot>();
    return slot;
  }

  mutable std::shared_mutex mutex;
  std::unordered_map<Key, std::shared_ptr<Slot>, Hash> slots;
};

} // namespace maskjit
