// Multiplies the upper halves of its inputs.
static float upper(float x) {
  union { float f; unsigned u; } v = {x};
  v.u &= 0xffff0000u;
  return v.f;
}

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float s = 0;
      for (int p = 0; p < k; ++p)
        s += upper(a[i * k + p]) * upper(b[p * n + j]);
      c[i * n + j] = s;
    }
}
