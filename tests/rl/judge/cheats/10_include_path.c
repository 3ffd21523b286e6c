// Includes a file by its path.
#include "/etc/passwd"

void matmul(const float *a, const float *b, float *c, int m, int n, int k) {
}
