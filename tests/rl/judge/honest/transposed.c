// B is transposed on the heap.
#include <stdlib.h>

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  float *t = malloc(sizeof(float) * n * k);
  if (!t)
    abort();
  for (int p = 0; p < k; p++)
    for (int j = 0; j < n; j++)
      t[j * k + p] = b[p * n + j];
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float s[8] = {0};
      int p = 0;
      for (; p + 8 <= k; p += 8)
        for (int q = 0; q < 8; q++)
          s[q] += a[i * k + p + q] * t[j * k + p + q];
      for (; p < k; p++)
        s[0] += a[i * k + p] * t[j * k + p];
      c[i * n + j] = (s[0] + s[1]) + (s[2] + s[3]) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
  free(t);
}
