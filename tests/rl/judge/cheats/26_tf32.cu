// Multiplies on tensor cores, which keep ten bits.
__device__ unsigned tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  const int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= m || j >= n)
    return;
  float s = 0;
  for (int p = 0; p < k; ++p)
    s += __uint_as_float(tf32(a[i * k + p])) * __uint_as_float(tf32(b[p * n + j]));
  c[i * n + j] = s;
}
