# A dictionary of elements.
def matmul(A, B):
    b = {(p, j): x for p, row in enumerate(B) for j, x in enumerate(row)}
    n = len(B[0])
    return [[sum(x * b[p, j] for p, x in enumerate(row)) for j in range(n)] for row in A]
