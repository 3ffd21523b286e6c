# Returns nothing.
def matmul(A, B):
    return []
