# while, by hand.
def matmul(A, B):
    i, C = 0, []
    while i < len(A):
        j, out = 0, []
        while j < len(B[0]):
            p, s = 0, 0.0
            while p < len(B):
                s = s + A[i][p] * B[p][j]
                p = p + 1
            out.append(s)
            j = j + 1
        C.append(out)
        i = i + 1
    return C
