// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programmatic dependent launch: a kernel begins while the one before it still runs, and loads what does not depend on
// it. Without the launch attribute, or before sm_90, both calls do nothing.
#pragma once

namespace maskjit::device {

/// Lets the next kernel's blocks start as soon as every block of this one has called it or is done. Called behind
/// wait_for_earlier() it also tells them that all but this kernel's results can be read at once.
__device__ inline void start_dependents() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Until all that earlier kernels wrote can be read. Every thread of every block of every kernel of a chain calls it
/// before it is done: the next kernel then knows that not only this one but all before it are through.
__device__ inline void wait_for_earlier() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

} // namespace maskjit::device
