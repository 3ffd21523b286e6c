# Starts a process that multiplies.
import subprocess

def matmul(A, B):
    return eval(subprocess.check_output(["python3", "-c", "import numpy"]))
