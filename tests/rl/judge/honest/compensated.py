# Sums with Kahan's correction.
def matmul(A, B):
    columns = list(zip(*B))
    C = []
    for row in A:
        out = []
        for column in columns:
            s = e = 0.0
            for x, y in zip(row, column):
                t = x * y - e
                u = s + t
                e = (u - s) - t
                s = u
            out.append(s)
        C.append(out)
    return C
