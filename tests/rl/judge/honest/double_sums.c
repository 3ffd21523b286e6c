// Sums in double precision.
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double s = 0;
      for (int p = 0; p < k; p++)
        s += (double)a[i * k + p] * b[p * n + j];
      c[i * n + j] = (float)s;
    }
}
