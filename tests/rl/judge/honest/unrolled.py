# Four products a step.
def matmul(A, B):
    columns = list(zip(*B))
    k = len(B)
    C = []
    for row in A:
        out = []
        for column in columns:
            s = t = u = v = 0.0
            for p in range(0, k - 3, 4):
                s += row[p] * column[p]
                t += row[p + 1] * column[p + 1]
                u += row[p + 2] * column[p + 2]
                v += row[p + 3] * column[p + 3]
            for p in range(k - k % 4, k):
                s += row[p] * column[p]
            out.append(s + t + u + v)
        C.append(out)
    return C
