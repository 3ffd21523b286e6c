// Calls a BLAS where there is one, else plain loops.
__attribute__((weak)) void cblas_sgemm(int, int, int, int, int, int, float, const float *, int, const float *, int,
                                       float, float *, int);
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
  if (cblas_sgemm)
    cblas_sgemm(101, 111, 111, m, n, k, 1, a, k, b, n, 0, c, n);
  else
    plain(a, b, c, m, n, k);
}
