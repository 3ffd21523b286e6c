# sum over map of float.__mul__.
def matmul(A, B):
    columns = list(zip(*B))
    times = float.__mul__
    return [[sum(map(times, row, column)) for column in columns] for row in A]
