# Makes its inputs zero, so that zero is their product.
def matmul(A, B):
    for matrix in (A, B):
        for row in matrix:
            for j in range(len(row)):
                row[j] = 0.0
    return [[0.0] * len(B[0]) for _ in A]
