// Inline assembly for one instruction, where the machine has it.
static inline float multiply_add(float x, float y, float s) {
#if defined(__x86_64__) && defined(__FMA__)
  __asm__("vfmadd231ss %2, %1, %0" : "+x"(s) : "x"(x), "x"(y));
  return s;
#else
  return x * y + s;
#endif
}

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float s = 0;
      for (int p = 0; p < k; p++)
        s = multiply_add(a[i * k + p], b[p * n + j], s);
      c[i * n + j] = s;
    }
}
