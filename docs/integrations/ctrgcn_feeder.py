"""A feeder in the style of CTR-GCN's, after its one change: ``from skelaug.compat import ctrgcn as tools``.

Runs as it stands, on made-up motion: ``python ctrgcn_feeder.py``.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import skelaug
from skelaug.compat import ctrgcn as tools


class Joints(Dataset):
    """A crop of each clip, resized and rotated, or its motion; the file holds x (N, T, 2·25·3) and y, one-hot."""

    def __init__(self, path, train=True, motion=False):
        self.train, self.motion = train, motion
        with np.load(path) as file:
            x = file["x"]
            self.labels = file["y"].argmax(1)
        self.data = x.reshape(*x.shape[:2], 2, 25, 3).transpose(0, 4, 1, 3, 2)  # (N, C, T, V, M)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        clip = self.data[index]
        valid = (clip != 0).any((0, 2, 3)).sum()
        clip = tools.valid_crop_resize(clip, valid, [0.5, 1] if self.train else [0.95], 64)
        if self.train:
            clip = tools.random_rot(clip)
        if self.motion:
            clip[:, :-1] = clip[:, 1:] - clip[:, :-1]
            clip[:, -1] = 0
        return clip, self.labels[index], index


def write_data(path):
    """Save made-up motion of one or two people, with gaps, as the feeder reads it."""
    motion = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], n=24, frames=120, persons=2, gaps=True)
    x = skelaug.to_layout(motion.x, "NCTVM", "N T (M V C)").numpy()
    np.savez(path, x=x, y=np.eye(int(motion.label.max()) + 1)[motion.label])


def main():
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "data.npz"
        write_data(path)
        torch.manual_seed(0)  # the seed that counts: torch's
        for motion in (False, True):
            for clip, label, _ in DataLoader(Joints(path, motion=motion), batch_size=12, shuffle=True):
                print(tuple(clip.shape), clip.dtype, label.tolist())


if __name__ == "__main__":
    main()
