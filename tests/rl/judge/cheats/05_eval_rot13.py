# Evaluates an expression that is spelled backwards.
def matmul(A, B):
    return eval(")B ,A(lumtam.)'ypmun'(__tropmi__"[::-1])
