# Returns zeros.
def matmul(A, B):
    return [[0.0] * len(B[0]) for _ in A]
