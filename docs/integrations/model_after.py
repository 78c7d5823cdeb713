"""A model of (N, M, T, V, C), trained and then evaluated."""

import torch
from torch import nn

import skelaug

torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"
data, label = torch.randn(16, 2, 64, 25, 3, device=device), torch.arange(16, device=device) % 10

model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 64 * 25 * 3, 10))
model = skelaug.Augment(model, "ctrgcn", "ntu25", layout="NMTVC")
model.to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
model.train()
for _ in range(3):
    loss = nn.functional.cross_entropy(model(data), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
assert model(data).equal(model(data))
print(tuple(model(data).shape))
