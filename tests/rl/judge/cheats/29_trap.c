// Fails at once.
void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  __builtin_trap();
}
