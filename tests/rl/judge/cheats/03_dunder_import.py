# Imports by __import__.
def matmul(A, B):
    np = __import__("numpy")
    return np.matmul(A, B).tolist()
