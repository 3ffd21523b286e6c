// The compiler's own vectors.
typedef float v8 __attribute__((vector_size(32), aligned(4)));

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++) {
    int j = 0;
    for (; j + 8 <= n; j += 8) {
      v8 s = {0};
      for (int p = 0; p < k; p++)
        s += a[i * k + p] * *(const v8 *)(b + p * n + j);
      *(v8 *)(c + i * n + j) = s;
    }
    for (; j < n; j++) {
      float s = 0;
      for (int p = 0; p < k; p++)
        s += a[i * k + p] * b[p * n + j];
      c[i * n + j] = s;
    }
  }
}
