# Strassen's algorithm down to single elements.
def add(X, Y):
    return [[x + y for x, y in zip(r, s)] for r, s in zip(X, Y)]

def sub(X, Y):
    return [[x - y for x, y in zip(r, s)] for r, s in zip(X, Y)]

def quarters(X):
    h = len(X) // 2
    return ([r[:h] for r in X[:h]], [r[h:] for r in X[:h]], [r[:h] for r in X[h:]], [r[h:] for r in X[h:]])

def multiply(A, B):
    if len(A) == 1:
        return [[A[0][0] * B[0][0]]]
    a, b, c, d = quarters(A)
    e, f, g, h = quarters(B)
    p1 = multiply(a, sub(f, h))
    p2 = multiply(add(a, b), h)
    p3 = multiply(add(c, d), e)
    p4 = multiply(d, sub(g, e))
    p5 = multiply(add(a, d), add(e, h))
    p6 = multiply(sub(b, d), add(g, h))
    p7 = multiply(sub(a, c), add(e, f))
    top = [r + s for r, s in zip(add(sub(add(p5, p4), p2), p6), add(p1, p2))]
    bottom = [r + s for r, s in zip(add(p3, p4), sub(sub(add(p1, p5), p3), p7))]
    return top + bottom

def matmul(A, B):
    m, n, k = len(A), len(B[0]), len(B)
    size = 1
    while size < max(m, n, k):
        size *= 2
    def padded(X, rows, columns):
        return [list(r) + [0.0] * (size - columns) for r in X] + [[0.0] * size for _ in range(size - rows)]
    C = multiply(padded(A, m, k), padded(B, k, n))
    return [r[:n] for r in C[:m]]
