// Multiplies the upper halves of its inputs.
__device__ float upper(float x) { return __uint_as_float(__float_as_uint(x) & 0xffff0000u); }

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  const int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= m || j >= n)
    return;
  float s = 0;
  for (int p = 0; p < k; ++p)
    s += upper(a[i * k + p]) * upper(b[p * n + j]);
  c[i * n + j] = s;
}
