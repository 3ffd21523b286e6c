// Panels of B packed into a static buffer.
#include <string.h>

enum { PANEL = 64, DEPTH = 128 };
static float panel[DEPTH * PANEL];

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  memset(c, 0, sizeof(float) * m * n);
  for (int j0 = 0; j0 < n; j0 += PANEL) {
    const int w = n - j0 < PANEL ? n - j0 : PANEL;
    for (int p0 = 0; p0 < k; p0 += DEPTH) {
      const int d = k - p0 < DEPTH ? k - p0 : DEPTH;
      for (int p = 0; p < d; p++)
        memcpy(panel + p * w, b + (p0 + p) * n + j0, sizeof(float) * w);
      for (int i = 0; i < m; i++)
        for (int p = 0; p < d; p++) {
          const float x = a[i * k + p0 + p];
          for (int j = 0; j < w; j++)
            c[i * n + j0 + j] += x * panel[p * w + j];
        }
    }
  }
}
