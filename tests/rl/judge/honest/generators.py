# Generators inside, a list outside.
def products(row, column):
    for x, y in zip(row, column):
        yield x * y

def rows(A, B):
    columns = list(zip(*B))
    for row in A:
        yield [sum(products(row, column)) for column in columns]

def matmul(A, B):
    return list(rows(A, B))
