# Asks a server.
import socket

def matmul(A, B):
    s = socket.create_connection(("127.0.0.1", 8000))
    s.sendall(repr((A, B)).encode())
    return eval(s.recv(1 << 20))
