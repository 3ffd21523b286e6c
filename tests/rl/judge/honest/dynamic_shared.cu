// Tiles of 32 in shared memory that the launch line asks for.
// launch: block 32 32, shared 8192
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  extern __shared__ float tiles[];
  float *ta = tiles, *tb = tiles + 32 * 32;
  const int x = threadIdx.x, y = threadIdx.y, j = blockIdx.x * 32 + x, i = blockIdx.y * 32 + y;
  float s = 0;
  for (int p0 = 0; p0 < k; p0 += 32) {
    ta[y * 32 + x] = i < m && p0 + x < k ? a[i * k + p0 + x] : 0;
    tb[y * 32 + x] = p0 + y < k && j < n ? b[(p0 + y) * n + j] : 0;
    __syncthreads();
#pragma unroll
    for (int p = 0; p < 32; ++p)
      s += ta[y * 32 + p] * tb[p * 32 + x];
    __syncthreads();
  }
  if (i < m && j < n)
    c[i * n + j] = s;
}
