# Rows of B added up, the order i p j.
def matmul(A, B):
    n = len(B[0])
    C = []
    for row in A:
        out = [0.0] * n
        for x, other in zip(row, B):
            out = [c + x * y for c, y in zip(out, other)]
        C.append(out)
    return C
