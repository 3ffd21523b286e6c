// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CUDA driver, found and loaded at run time: a machine without one runs everything else.
#pragma once
#include "compiler/Result.h"
#include <cstddef>
#include <cstdint>

namespace maskjit::cuda {

// Handles of the driver. Opaque; cuda.h's pointers of the same kind convert by reinterpret_cast.
using Context = struct OpaqueContext *;
using Module = struct OpaqueModule *;
using Function = struct OpaqueFunction *;
using Stream = struct OpaqueStream *;
using Graph = struct OpaqueGraph *;
using GraphExec = struct OpaqueGraphExec *;
using Event = struct OpaqueEvent *;
using DevicePtr = unsigned long long;

/// CUlaunchConfig and CUlaunchAttribute of cuda.h.
struct LaunchAttribute {
  int id;
  int padding;
  union {
    int number;
    char bytes[64];
  };
};
inline constexpr int kAttributeCooperative = 2, kAttributeProgrammaticSerialization = 6;
struct LaunchConfig {
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};

/// Numbers as cuda.h has them.
enum class Attribute : int {
  MultiprocessorCount = 16,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
  MaxSharedBytesPerBlockOptin = 97
};
inline constexpr int kFunctionMaxDynamicSharedBytes = 8; // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
inline constexpr int kCaptureThreadLocal = 1;            // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
inline constexpr int kStreamNonBlocking = 1;

/// The driver's functions; every one returns 0 or an error code for `check`.
struct Driver {
  /// Loads libcuda.so.1 and initialises it once; the message says what is missing.
  static const Result<Driver> &load();

  /// The outcome of `what`, with the driver's words for `code`.
  Result<void> check(int code, const char *what) const;

  int (*getErrorString)(int, const char **);
  int (*driverGetVersion)(int *);
  int (*deviceGetCount)(int *);
  int (*deviceGet)(int *, int);
  int (*deviceGetName)(char *, int, int);
  int (*deviceGetAttribute)(int *, Attribute, int);
  int (*devicePrimaryCtxRetain)(Context *, int);
  int (*ctxGetCurrent)(Context *);
  int (*ctxSetCurrent)(Context);
  int (*ctxGetDevice)(int *);
  int (*moduleLoadDataEx)(Module *, const void *, unsigned, int *, void **);
  int (*moduleUnload)(Module);
  int (*moduleGetFunction)(Function *, Module, const char *);
  int (*funcSetAttribute)(Function, int, int);
  int (*launchKernel)(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, void **,
                      void **);
  int (*launchKernelEx)(const LaunchConfig *, Function, void **, void **);
  int (*launchCooperative)(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream,
                           void **);
  int (*memAlloc)(DevicePtr *, size_t);
  int (*memFree)(DevicePtr);
  int (*memGetInfo)(size_t *, size_t *);
  int (*memcpyHtoD)(DevicePtr, const void *, size_t);
  int (*memcpyDtoH)(void *, DevicePtr, size_t);
  int (*memsetD8)(DevicePtr, unsigned char, size_t);
  int (*tensorMapEncodeTiled)(void *, int, unsigned, void *, const uint64_t *, const uint64_t *, const unsigned *,
                              const unsigned *, int, int, int, int);
  int (*streamCreate)(Stream *, unsigned);
  int (*streamDestroy)(Stream);
  int (*streamSynchronize)(Stream);
  int (*streamBeginCapture)(Stream, int);
  int (*streamEndCapture)(Stream, Graph *);
  int (*graphInstantiate)(GraphExec *, Graph, unsigned long long);
  int (*graphLaunch)(GraphExec, Stream);
  int (*graphExecDestroy)(GraphExec);
  int (*graphDestroy)(Graph);
  int (*eventCreate)(Event *, unsigned);
  int (*eventRecord)(Event, Stream);
  int (*eventSynchronize)(Event);
  int (*eventElapsedTime)(float *, Event, Event);
  int (*eventDestroy)(Event);
};

/// The device of the calling thread's current context.
struct Device {
  Context context = nullptr;
  int ordinal = 0, multiprocessors = 0, major = 0, minor = 0, sharedBytes = 0; // shared: a block's most

  /// What the current context's device is; remembered by context.
  static Result<Device> current();
};

} // namespace maskjit::cuda
