# A sum of outer products, and a word on standard output.
def matmul(A, B):
    C = [[0.0] * len(B[0]) for _ in A]
    for p, other in enumerate(B):
        for out, row in zip(C, A):
            x = row[p]
            out[:] = [c + x * y for c, y in zip(out, other)]
    print("done")
    return C
