# A closure, checks, and a message.
def make(block):
    def matmul(A, B):
        if len(A[0]) != len(B):
            raise ValueError("shapes %d and %d do not fit" % (len(A[0]), len(B)))
        columns = tuple(zip(*B))
        try:
            result = [[0.0 for _ in columns] for _ in A]
            for start in range(0, len(A), block):
                for i, row in enumerate(A[start:start + block], start):
                    for j, column in enumerate(columns):
                        result[i][j] = sum(x * y for x, y in zip(row, column))
            return result
        finally:
            columns = None
    return matmul

matmul = make(4)
