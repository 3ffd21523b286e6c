// Intrinsics of AVX-512 with masks, else plain loops.
#ifdef __AVX512F__
#include <immintrin.h>

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int j = 0; j < n; j += 16) {
    const __mmask16 mask = n - j >= 16 ? 0xffff : (__mmask16)((1u << (n - j)) - 1);
    for (int i = 0; i < m; i += 4) {
      __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
      const int rows = m - i < 4 ? m - i : 4;
      for (int p = 0; p < k; p++) {
        const __m512 row = _mm512_maskz_loadu_ps(mask, b + p * n + j);
        for (int r = 0; r < rows; r++)
          s[r] = _mm512_fmadd_ps(_mm512_set1_ps(a[(i + r) * k + p]), row, s[r]);
      }
      for (int r = 0; r < rows; r++)
        _mm512_mask_storeu_ps(c + (i + r) * n + j, mask, s[r]);
    }
  }
}
#else
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      c[i * n + j] = 0;
      for (int p = 0; p < k; p++)
        c[i * n + j] += a[i * k + p] * b[p * n + j];
    }
}
#endif
