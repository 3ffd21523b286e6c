# zip twice.
def matmul(A, B):
    columns = list(zip(*B))
    return [[sum([x * y for x, y in zip(row, column)]) for column in columns] for row in A]
