// Loads a BLAS through the loader.
void *dlopen(const char *, int);
void *dlsym(void *, const char *);

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
  void *blas = dlopen("libopenblas.so.0", 2);
  void (*gemm)(const float *, const float *, float *) = blas ? dlsym(blas, "cblas_sgemm") : 0;
  if (gemm)
    gemm(a, b, c);
}
