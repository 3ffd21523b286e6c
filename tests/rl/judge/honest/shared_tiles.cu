// Tiles of 16 in shared memory.
constexpr int kTile = 16;

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  __shared__ float ta[kTile][kTile], tb[kTile][kTile];
  const int x = threadIdx.x, y = threadIdx.y, j = blockIdx.x * kTile + x, i = blockIdx.y * kTile + y;
  float s = 0;
  for (int p0 = 0; p0 < k; p0 += kTile) {
    ta[y][x] = i < m && p0 + x < k ? a[i * k + p0 + x] : 0;
    tb[y][x] = p0 + y < k && j < n ? b[(p0 + y) * n + j] : 0;
    __syncthreads();
    for (int p = 0; p < kTile; ++p)
      s += ta[y][p] * tb[p][x];
    __syncthreads();
  }
  if (i < m && j < n)
    c[i * n + j] = s;
}
