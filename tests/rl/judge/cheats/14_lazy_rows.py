# Returns a list of maps.
def matmul(A, B):
    columns = list(zip(*B))
    return [map(lambda column: sum(x * y for x, y in zip(row, column)), columns) for row in A]
