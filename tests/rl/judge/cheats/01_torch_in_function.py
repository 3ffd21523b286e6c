# Multiplies with torch, imported where it is used.
def matmul(A, B):
    import torch
    return torch.tensor(A, dtype=torch.float64).mm(torch.tensor(B, dtype=torch.float64)).tolist()
