// Looks for a result in memory that was freed.
void *malloc(unsigned long);
void free(void *);

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  float *old = malloc(sizeof(float) * m * n);
  for (int i = 0; i < m * n; ++i)
    c[i] = old[i];
  free(old);
}
