// Includes a file by its path.
#include "/etc/passwd"

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
}
