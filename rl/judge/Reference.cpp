// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plain triple loops, i j k, one thread.
#include "rl/judge/Reference.h"

namespace maskjit::rl {

static const char *const kPython = R"(def matmul(A, B):
    m, n, k = len(A), len(B[0]), len(B)
    C = [[0.0] * n for _ in range(m)]
    for i in range(m):
        for j in range(n):
            s = 0.0
            for p in range(k):
                s += A[i][p] * B[p][j]
            C[i][j] = s
    return C
)";

static const char *const kC = R"(void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float s = 0;
      for (int p = 0; p < k; ++p)
        s += a[i * k + p] * b[p * n + j];
      c[i * n + j] = s;
    }
}
)";

static const char *const kCuda =
    R"(extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= m || j >= n)
    return;
  float s = 0;
  for (int p = 0; p < k; ++p)
    s += a[i * k + p] * b[p * n + j];
  c[i * n + j] = s;
}
)";

const char *referenceSource(Language language) {
  return language == Language::Python ? kPython : language == Language::C ? kC : kCuda;
}

MatmulShape defaultShape(Language language) {
  int size = language == Language::Python ? 64 : language == Language::C ? 256 : 1024;
  return {size, size, size};
}

} // namespace maskjit::rl
