# Columns of B as rows.
def matmul(A, B):
    columns = [list(column) for column in zip(*B)]
    C = []
    for row in A:
        out = []
        for column in columns:
            s = 0.0
            for p in range(len(row)):
                s += row[p] * column[p]
            out.append(s)
        C.append(out)
    return C
