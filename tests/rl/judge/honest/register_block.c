// Blocks of 4 by 4 in registers, unrolled by a macro.
#define STEP(r) \
  s##r##0 += x##r * y0, s##r##1 += x##r * y1, s##r##2 += x##r * y2, s##r##3 += x##r * y3
#define STORE(r) \
  c[(i + r) * n + j] = s##r##0, c[(i + r) * n + j + 1] = s##r##1, c[(i + r) * n + j + 2] = s##r##2, \
                  c[(i + r) * n + j + 3] = s##r##3

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i += 4)
    for (int j = 0; j < n; j += 4) {
      if (i + 4 > m || j + 4 > n) {
        for (int r = i; r < m && r < i + 4; r++)
          for (int q = j; q < n && q < j + 4; q++) {
            float s = 0;
            for (int p = 0; p < k; p++)
              s += a[r * k + p] * b[p * n + q];
            c[r * n + q] = s;
          }
        continue;
      }
      float s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
      float s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
      for (int p = 0; p < k; p++) {
        const float x0 = a[i * k + p], x1 = a[(i + 1) * k + p], x2 = a[(i + 2) * k + p], x3 = a[(i + 3) * k + p];
        const float y0 = b[p * n + j], y1 = b[p * n + j + 1], y2 = b[p * n + j + 2], y3 = b[p * n + j + 3];
        STEP(0), STEP(1), STEP(2), STEP(3);
      }
      STORE(0), STORE(1), STORE(2), STORE(3);
    }
}
