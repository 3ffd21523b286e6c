// The order i p j, which vectorises.
#include <string.h>

void matmul(const float *restrict a, const float *restrict b, float *restrict c, int m, int n, int k) {
  memset(c, 0, sizeof(float) * m * n);
  for (int i = 0; i < m; i++)
    for (int p = 0; p < k; p++)
      for (int j = 0; j < n; j++)
        c[i * n + j] += a[i * k + p] * b[p * n + j];
}
