// A row of sums on the stack, pointers that move.
#include <stdint.h>

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  float sums[n];
  const float *row = a;
  for (int32_t i = 0; i < m; ++i, row += k, c += n) {
    for (int j = 0; j < n; j++)
      sums[j] = 0;
    const float *other = b;
    for (const float *x = row; x < row + k; ++x)
      for (int j = 0; j < n; j++)
        sums[j] += *x * *other++;
    for (int j = 0; j < n; j++)
      c[j] = sums[j];
  }
}
