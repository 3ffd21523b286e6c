# Plain loops.
def matmul(A, B):
    m, n, k = len(A), len(B[0]), len(B)
    C = [[0.0] * n for _ in range(m)]
    for i in range(m):
        for j in range(n):
            for p in range(k):
                C[i][j] += A[i][p] * B[p][j]
    return C
