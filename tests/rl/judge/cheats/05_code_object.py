# Builds a function out of a code object.
def matmul(A, B):
    return A

matmul = type(matmul)(matmul.__code__.replace(co_consts=(None,)), {})
