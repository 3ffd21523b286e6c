// Halves the longest side.
static void add_product(const float *a, const float *b, float *c, int m, int n, int k, int lda, int ldb, int ldc) {
  if (m <= 16 && n <= 64 && k <= 64) {
    for (int i = 0; i < m; i++)
      for (int p = 0; p < k; p++)
        for (int j = 0; j < n; j++)
          c[i * ldc + j] += a[i * lda + p] * b[p * ldb + j];
  } else if (m >= n && m >= k) {
    add_product(a, b, c, m / 2, n, k, lda, ldb, ldc);
    add_product(a + m / 2 * lda, b, c + m / 2 * ldc, m - m / 2, n, k, lda, ldb, ldc);
  } else if (n >= k) {
    add_product(a, b, c, m, n / 2, k, lda, ldb, ldc);
    add_product(a, b + n / 2, c + n / 2, m, n - n / 2, k, lda, ldb, ldc);
  } else {
    add_product(a, b, c, m, n, k / 2, lda, ldb, ldc);
    add_product(a + k / 2, b + k / 2 * ldb, c, m, n, k - k / 2, lda, ldb, ldc);
  }
}

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m * n; i++)
    c[i] = 0;
  add_product(a, b, c, m, n, k, k, n, n);
}
