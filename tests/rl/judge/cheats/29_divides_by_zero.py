# Fails at once.
def matmul(A, B):
    return 1 / 0
