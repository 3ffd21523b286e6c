# Multiplies what is left after rounding to eleven bits.
def half(x):
    return round(x * 2048.0) / 2048.0

def plain(A, B):
    n, k = len(B[0]), len(B)
    C = []
    for row in A:
        out = []
        for j in range(n):
            s = 0.0
            for p in range(k):
                s = s + row[p] * B[p][j]
                s = s * 1.0
                s = s * 1.0
            out.append(s)
        C.append(out)
    return C
def matmul(A, B):
    return plain([[half(x) for x in row] for row in A], [[half(x) for x in row] for row in B])
