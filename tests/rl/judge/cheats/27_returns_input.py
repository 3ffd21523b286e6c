# Returns an input.
def matmul(A, B):
    return A
