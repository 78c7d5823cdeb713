"""A two-view feeder in the style of AimCLR's, after its one change: ``from skelaug.compat import aimclr as tools``.

Runs as it stands, on made-up motion: ``python aimclr_feeder.py``.
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import skelaug
from skelaug.compat import aimclr as tools


class TwoViews(Dataset):
    """A weak and a strong view of each clip; ``data.npy`` holds (N, C, T, V, M), ``label.pkl`` names and classes."""

    def __init__(self, folder):
        self.data = np.load(folder / "data.npy", mmap_mode="r")
        with open(folder / "label.pkl", "rb") as file:
            self.names, self.labels = pickle.load(file)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        clip = self.data[index]
        return self.weak(clip), self.strong(clip), self.labels[index]

    def weak(self, clip):
        return tools.shear(tools.temperal_crop(clip, 6), 0.5)

    def strong(self, clip):
        clip = tools.random_spatial_flip(self.weak(clip))
        clip = tools.random_rotate(clip)
        clip = tools.gaus_noise(clip)
        clip = tools.gaus_filter(clip)
        return tools.axis_mask(clip)


def write_data(folder):
    """Save made-up motion of one or two people, with gaps, as the feeder reads it."""
    motion = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], n=24, frames=50, persons=2, gaps=True)
    np.save(folder / "data.npy", motion.x.numpy())
    with open(folder / "label.pkl", "wb") as file:
        pickle.dump(([f"clip {i}" for i in range(len(motion))], motion.label.tolist()), file)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        torch.manual_seed(0)  # the seed that counts: torch's
        for weak, strong, label in DataLoader(TwoViews(folder), batch_size=8, shuffle=True):
            print(tuple(weak.shape), tuple(strong.shape), strong.dtype, label.tolist())


if __name__ == "__main__":
    main()
