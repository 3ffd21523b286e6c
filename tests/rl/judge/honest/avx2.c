// Intrinsics of AVX2 where the machine has them.
#ifdef __AVX2__
#include <immintrin.h>

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++) {
    int j = 0;
    for (; j + 8 <= n; j += 8) {
      __m256 s = _mm256_setzero_ps();
      for (int p = 0; p < k; p++)
        s = _mm256_fmadd_ps(_mm256_set1_ps(a[i * k + p]), _mm256_loadu_ps(b + p * n + j), s);
      _mm256_storeu_ps(c + i * n + j, s);
    }
    for (; j < n; j++) {
      float s = 0;
      for (int p = 0; p < k; p++)
        s += a[i * k + p] * b[p * n + j];
      c[i * n + j] = s;
    }
  }
}
#else
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m * n; i++) {
    c[i] = 0;
    for (int p = 0; p < k; p++)
      c[i] += a[i / n * k + p] * b[p * n + i % n];
  }
}
#endif
