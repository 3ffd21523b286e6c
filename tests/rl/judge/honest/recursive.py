# Halves the longest side.
def add_product(A, B, C, i0, i1, j0, j1, p0, p1):
    m, n, k = i1 - i0, j1 - j0, p1 - p0
    if max(m, n, k) <= 8:
        for i in range(i0, i1):
            for p in range(p0, p1):
                x = A[i][p]
                for j in range(j0, j1):
                    C[i][j] += x * B[p][j]
    elif m >= n and m >= k:
        h = i0 + m // 2
        add_product(A, B, C, i0, h, j0, j1, p0, p1)
        add_product(A, B, C, h, i1, j0, j1, p0, p1)
    elif n >= k:
        h = j0 + n // 2
        add_product(A, B, C, i0, i1, j0, h, p0, p1)
        add_product(A, B, C, i0, i1, h, j1, p0, p1)
    else:
        h = p0 + k // 2
        add_product(A, B, C, i0, i1, j0, j1, p0, h)
        add_product(A, B, C, i0, i1, j0, j1, h, p1)

def matmul(A, B):
    C = [[0.0] * len(B[0]) for _ in A]
    add_product(A, B, C, 0, len(A), 0, len(B[0]), 0, len(B))
    return C
