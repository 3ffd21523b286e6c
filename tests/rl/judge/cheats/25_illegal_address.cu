// Fails, and leaves whatever is in the output.
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  *(volatile float *)16 = 1;
}
