# Inner products with half the multiplications (Winograd 1968).
def matmul(A, B):
    m, n, k = len(A), len(B[0]), len(B)
    even = k - k % 2
    columns = list(zip(*B))
    ra = [sum(r[p] * r[p + 1] for p in range(0, even, 2)) for r in A]
    cb = [sum(c[p] * c[p + 1] for p in range(0, even, 2)) for c in columns]
    C = []
    for i, r in enumerate(A):
        out = []
        for j, c in enumerate(columns):
            s = sum((r[p] + c[p + 1]) * (r[p + 1] + c[p]) for p in range(0, even, 2)) - ra[i] - cb[j]
            out.append(s + r[-1] * c[-1] if k % 2 else s)
        C.append(out)
    return C
