# Loads a BLAS with ctypes.
import ctypes

blas = ctypes.CDLL("libopenblas.so.0")

def matmul(A, B):
    return blas.cblas_dgemm(A, B)
