// Fails in the middle.
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  volatile float *nowhere = 0;
  for (int i = 0; i < m * n; ++i)
    c[i] = 1;
  *nowhere = 1;
}
