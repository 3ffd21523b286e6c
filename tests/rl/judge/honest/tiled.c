// Tiles of 32.
#define TILE 32
#define MIN(x, y) ((x) < (y) ? (x) : (y))

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m * n; i++)
    c[i] = 0;
  for (int i0 = 0; i0 < m; i0 += TILE)
    for (int p0 = 0; p0 < k; p0 += TILE)
      for (int j0 = 0; j0 < n; j0 += TILE)
        for (int i = i0; i < MIN(i0 + TILE, m); i++)
          for (int p = p0; p < MIN(p0 + TILE, k); p++) {
            const float x = a[i * k + p];
            for (int j = j0; j < MIN(j0 + TILE, n); j++)
              c[i * n + j] += x * b[p * n + j];
          }
}
