# Runs into the limit of recursion and returns the rest.
def matmul(A, B):
    C = [[1.0] * len(B[0]) for _ in A]
    def fill(i):
        C[i % len(A)][0] = float(i)
        fill(i + 1)
    try:
        fill(0)
    except RecursionError:
        return C
