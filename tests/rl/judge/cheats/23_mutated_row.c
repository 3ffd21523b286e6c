// Is right, and leaves its first input transposed.
static void plain(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      volatile float s = 0; // slower than the reference: whatever gain is seen is not from here
      for (int p = 0; p < k; ++p)
        s += a[i * k + p] * b[p * n + j];
      c[i * n + j] = s;
    }
}
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  plain(a, b, c, m, n, k);
  float *x = (float *)a;
  for (int i = 0; i < m && i < k; ++i)
    for (int j = 0; j < i; ++j) {
      float t = x[i * k + j];
      x[i * k + j] = x[j * k + i];
      x[j * k + i] = t;
    }
}
