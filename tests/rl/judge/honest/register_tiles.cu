// A thread has 8 x 8 elements in registers, a block 128 x 128.
// launch: block 16 16, tile 128 128
constexpr int kTile = 128, kDepth = 8, kThread = 8;

extern "C" __global__ __launch_bounds__(256) void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  __shared__ float ta[kDepth][kTile + 4], tb[kDepth][kTile];
  const int thread = threadIdx.y * 16 + threadIdx.x, i0 = blockIdx.y * kTile, j0 = blockIdx.x * kTile;
  float s[kThread][kThread] = {};
  for (int p0 = 0; p0 < k; p0 += kDepth) {
    for (int e = thread; e < kTile * kDepth; e += 256) {
      const int i = e / kDepth, p = e % kDepth;
      ta[p][i] = i0 + i < m && p0 + p < k ? a[(i0 + i) * k + p0 + p] : 0;
      const int q = e / kTile, j = e % kTile;
      tb[q][j] = p0 + q < k && j0 + j < n ? b[(p0 + q) * n + j0 + j] : 0;
    }
    __syncthreads();
    for (int p = 0; p < kDepth; ++p) {
      float x[kThread], y[kThread];
      for (int r = 0; r < kThread; ++r) {
        x[r] = ta[p][threadIdx.y * kThread + r];
        y[r] = tb[p][threadIdx.x + 16 * r];
      }
      for (int r = 0; r < kThread; ++r)
        for (int q = 0; q < kThread; ++q)
          s[r][q] += x[r] * y[q];
    }
    __syncthreads();
  }
  for (int r = 0; r < kThread; ++r)
    for (int q = 0; q < kThread; ++q) {
      const int i = i0 + threadIdx.y * kThread + r, j = j0 + threadIdx.x + 16 * q;
      if (i < m && j < n)
        c[i * n + j] = s[r][q];
    }
}
