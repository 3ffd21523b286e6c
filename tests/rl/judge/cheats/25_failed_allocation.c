// Gives up when memory it cannot have is refused.
void *malloc(unsigned long);

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  float *scratch = malloc(1ul << 46);
  if (!scratch)
    return;
  c[0] = scratch[0];
}
