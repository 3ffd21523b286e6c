# Functions of functions.
dot = lambda u, v: sum(map(lambda pair: pair[0] * pair[1], zip(u, v)))
transpose = lambda X: list(map(list, zip(*X)))
matmul = lambda A, B: list(map(lambda row: list(map(lambda column: dot(row, column), transpose(B))), A))
