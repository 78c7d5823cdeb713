"""A training loop over a feeder that gives (data, label, index); data is (C, T, V, M)."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import skelaug


class Feeder(Dataset):
    def __init__(self, clips=48):
        self.data = np.random.default_rng(0).normal(size=(clips, 3, 64, 25, 2)).astype(np.float32)
        self.label = np.arange(clips) % 10

    def __len__(self):
        return len(self.label)

    def __getitem__(self, index):
        return self.data[index], self.label[index], index


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 25 * 2, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loader = DataLoader(Feeder(), batch_size=16, num_workers=2, collate_fn=skelaug.Collate("ctrgcn", "ntu25"))
    for data, label, index in loader:
        loss = nn.functional.cross_entropy(model(data), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(data.dtype, tuple(data.shape), label.dtype, index.tolist())


if __name__ == "__main__":
    main()
