# Returns a generator.
def matmul(A, B):
    for row in A:
        yield [sum(x * B[p][j] for p, x in enumerate(row)) for j in range(len(B[0]))]
