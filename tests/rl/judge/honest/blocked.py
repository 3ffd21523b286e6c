# Blocks of 8.
def matmul(A, B, block=8):
    m, n, k = len(A), len(B[0]), len(B)
    C = [[0.0] * n for _ in range(m)]
    for i0 in range(0, m, block):
        for p0 in range(0, k, block):
            for j0 in range(0, n, block):
                for i in range(i0, min(i0 + block, m)):
                    row, out = A[i], C[i]
                    for p in range(p0, min(p0 + block, k)):
                        x, other = row[p], B[p]
                        for j in range(j0, min(j0 + block, n)):
                            out[j] += x * other[j]
    return C
