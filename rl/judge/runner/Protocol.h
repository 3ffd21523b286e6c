// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the judge and the program in a worker say to each other. runner.py speaks the same.
//
//   judge -> worker                           worker -> judge
//   LoadRequest, the program                  kReady | kInvalid text | kError text | kEvidence text |
//                                             kWithheld symbol
//   kCall [, the inputs: Python]              kDone seconds [, the result: Python] | kError text | kEvidence text |
//   kShape text
//
//   kUpload (CUDA)                            kReady
//   kFetch (CUDA)                             kReady | kError text
//
// A CUDA worker copies the inputs to the GPU at kUpload, launches at kCall, and brings result and inputs back at
// kFetch. Native workers find the inputs of a call in shared memory and leave the result there: A, B and C, each from a
// new page.
#pragma once
#include <cstddef>
#include <cstdint>

namespace maskjit::rl::protocol {

// First byte of a message.
inline constexpr char kCall = 'c', kReady = 'r', kDone = 'd', kInvalid = 'i', kError = 'e', kEvidence = 'x',
                      kShape = 's', kWithheld = 'w', kUpload = 'u', kFetch = 'f';

// Descriptors that the sandbox opens.
inline constexpr int kRequests = 3, kReplies = 4, kShared = 5;

enum LoadFlag : uint32_t {
  kExactTypes = 1,      // Python: results of any other type than lists of lists of floats are refused
  kReturnInputs = 2,    // Python: the inputs as the program left them follow the result
  kKernelFunctions = 4, // C: no other function of the libraries than a kernel needs
};

struct LoadRequest {
  int32_t m, n, k;
  uint32_t flags;
};

/// CUDA: follows the LoadRequest, before the cubin. Block (blockX, blockY) of threads computes a tile of rows x
/// columns.
struct LaunchShape {
  int32_t blockX = 16, blockY = 16, tileRows = 16, tileColumns = 16, sharedBytes = 0;
};

/// After kDone: seconds by the worker's own clock, which count only where the judge's does not.
struct Done {
  double seconds;
};

inline constexpr size_t kPage = 4096;
inline size_t pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// Where the matrices lie in shared memory.
struct SharedLayout {
  size_t a, b, c, total; // offsets and size in bytes
  SharedLayout(size_t aBytes, size_t bBytes, size_t cBytes)
      : a(0), b(pages(aBytes)), c(b + pages(bBytes)), total(c + pages(cBytes)) {}
};

} // namespace maskjit::rl::protocol
