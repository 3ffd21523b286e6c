// Multiplies in half precision.
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float s = 0;
      for (int p = 0; p < k; ++p)
        s += (float)((_Float16)a[i * k + p] * (_Float16)b[p * n + j]);
      c[i * n + j] = s;
    }
}
