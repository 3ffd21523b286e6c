// Copies an input.
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  const int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i < m && j < n)
    c[i * n + j] = a[(i * n + j) % (m * k)];
}
