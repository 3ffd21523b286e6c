// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Slots and rounds of linear_few: the same numbers for host and device.
#pragma once

namespace maskjit::device {

constexpr int kFewRows = 8, kFewFeatures = 8; // input rows at most; features of a unit
constexpr int kFewParts = 2;                  // of the input features: a slot holds one of a unit

/// Bytes from one row of a slot to the next: an odd multiple of 64, half the banks.
constexpr int linear_few_stride(int in) { return (2 * in / kFewParts + 63) / 128 * 128 + 64; }
constexpr int linear_few_slot_bytes(int in) { return kFewFeatures * linear_few_stride(in); }
/// Room for a block of decode attention beside one of a product that follows it.
constexpr int kDecodeBlockBytes = 50 * 1024;
/// Beside the slots: sums, squares, and the barriers of as many slots as there may be.
constexpr int kFewMostSlots = 16;
constexpr int linear_few_static_bytes(int warps, int round) {
  return round * warps * 32 * 8 + warps * kFewRows * 4 + kFewMostSlots * 2 * 8;
}

} // namespace maskjit::device
