// Copies an input.
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m * n; ++i)
    c[i] = a[i % (m * k)];
}
