// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// cuTensorMapEncodeTiled with the choices that the device headers ask for.
#include "runtime/launch/TensorMap.h"

namespace maskjit::cuda {

Result<TensorMap> encodeTensorMap(const device::TensorMapShape &shape, DType dtype) {
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  // Numbers as cuda.h has them.
  constexpr int kFloat16 = 6, kBfloat16 = 9, kNoInterleave = 0, kSwizzle32 = 1, kSwizzle64 = 2, kSwizzle128 = 3,
                kPromote256 = 3, kZerosOutside = 0;
  static const unsigned ones[5] = {1, 1, 1, 1, 1};
  uint64_t sizes[5], strides[4];
  for (int i = 0; i < 5; ++i)
    sizes[i] = shape.sizes[i];
  for (int i = 0; i < 4; ++i)
    strides[i] = shape.strides[i];
  TensorMap map;
  if (auto done = driver->check(driver->tensorMapEncodeTiled(&map, dtype == DType::BF16 ? kBfloat16 : kFloat16,
                                                             static_cast<unsigned>(shape.rank), shape.base, sizes,
                                                             strides, shape.box, ones, kNoInterleave,
                                                             shape.swizzle == 32   ? kSwizzle32
                                                             : shape.swizzle == 64 ? kSwizzle64
                                                                                   : kSwizzle128,
                                                             kPromote256, kZerosOutside),
                                "describing a tensor to the copy engine");
      !done)
    return done.error();
  return map;
}

} // namespace maskjit::cuda
