// Strassen's algorithm, four levels.
#include <stdlib.h>
#include <string.h>

static void plain(const float *a, int lda, const float *b, int ldb, float *c, int ldc, int s) {
  for (int i = 0; i < s; i++) {
    memset(c + i * ldc, 0, sizeof(float) * s);
    for (int p = 0; p < s; p++)
      for (int j = 0; j < s; j++)
        c[i * ldc + j] += a[i * lda + p] * b[p * ldb + j];
  }
}
/// z = x + sign y
static void add(const float *x, int ldx, const float *y, int ldy, float sign, float *z, int ldz, int s) {
  for (int i = 0; i < s; i++)
    for (int j = 0; j < s; j++)
      z[i * ldz + j] = x[i * ldx + j] + sign * y[i * ldy + j];
}

static void multiply(const float *a, int lda, const float *b, int ldb, float *c, int ldc, int s, int level) {
  if (level == 0 || s % 2) {
    plain(a, lda, b, ldb, c, ldc, s);
    return;
  }
  const int h = s / 2;
  const float *a11 = a, *a12 = a + h, *a21 = a + h * lda, *a22 = a21 + h;
  const float *b11 = b, *b12 = b + h, *b21 = b + h * ldb, *b22 = b21 + h;
  float *c11 = c, *c12 = c + h, *c21 = c + h * ldc, *c22 = c21 + h;
  float *x = malloc(sizeof(float) * h * h * 9), *y = x + h * h, *q = y + h * h;
  float *p1 = q, *p2 = p1 + h * h, *p3 = p2 + h * h, *p4 = p3 + h * h, *p5 = p4 + h * h, *p6 = p5 + h * h,
        *p7 = p6 + h * h;
  add(a11, lda, a22, lda, 1, x, h, h), add(b11, ldb, b22, ldb, 1, y, h, h), multiply(x, h, y, h, p1, h, h, level - 1);
  add(a21, lda, a22, lda, 1, x, h, h), multiply(x, h, b11, ldb, p2, h, h, level - 1);
  add(b12, ldb, b22, ldb, -1, y, h, h), multiply(a11, lda, y, h, p3, h, h, level - 1);
  add(b21, ldb, b11, ldb, -1, y, h, h), multiply(a22, lda, y, h, p4, h, h, level - 1);
  add(a11, lda, a12, lda, 1, x, h, h), multiply(x, h, b22, ldb, p5, h, h, level - 1);
  add(a21, lda, a11, lda, -1, x, h, h), add(b11, ldb, b12, ldb, 1, y, h, h), multiply(x, h, y, h, p6, h, h, level - 1);
  add(a12, lda, a22, lda, -1, x, h, h), add(b21, ldb, b22, ldb, 1, y, h, h), multiply(x, h, y, h, p7, h, h, level - 1);
  for (int i = 0; i < h; i++)
    for (int j = 0; j < h; j++) {
      const int e = i * h + j;
      c11[i * ldc + j] = p1[e] + p4[e] - p5[e] + p7[e];
      c12[i * ldc + j] = p3[e] + p5[e];
      c21[i * ldc + j] = p2[e] + p4[e];
      c22[i * ldc + j] = p1[e] - p2[e] + p3[e] + p6[e];
    }
  free(x);
}

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  int s = 16;
  while (s < m || s < n || s < k)
    s *= 2;
  float *x = calloc((unsigned long)s * s * 3, sizeof(float)), *y = x + s * s, *z = y + s * s;
  for (int i = 0; i < m; i++)
    memcpy(x + i * s, a + i * k, sizeof(float) * k);
  for (int p = 0; p < k; p++)
    memcpy(y + p * s, b + p * n, sizeof(float) * n);
  multiply(x, s, y, s, z, s, s, 4);
  for (int i = 0; i < m; i++)
    memcpy(c + i * n, z + i * s, sizeof(float) * n);
  free(x);
}
