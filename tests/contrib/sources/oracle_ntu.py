"""NTU RGB+D's ``.skeleton`` files, read line by line in plain Python: what the fast reader is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_lines(path: str | Path) -> tuple[int, dict[str, dict[int, np.ndarray]]]:
    """The number of frames; and by body and frame its joints, float32 (25, 3)."""
    bodies: dict[str, dict[int, np.ndarray]] = {}
    with open(path) as file:
        frames = int(file.readline())
        for frame in range(frames):
            for _ in range(int(file.readline())):
                name = file.readline().split()[0]
                joints = []
                for _ in range(int(file.readline())):
                    numbers = [float(word) for word in file.readline().split()]
                    joints.append(numbers[:3])
                bodies.setdefault(name, {})[frame] = np.array(joints, np.float32)
    return frames, bodies


def read_people(path: str | Path) -> np.ndarray:
    """float32 (3, T, 25, 2): the two bodies whose coordinates vary most, without any rule against noise."""
    frames, bodies = read_lines(path)
    x = np.zeros((3, frames, 25, 2), np.float32)
    order = sorted(bodies.values(), key=lambda body: -np.var(np.concatenate(list(body.values())), 0).sum())
    for person, body in enumerate(order[:2]):
        for frame, joints in body.items():
            x[:, frame, :, person] = joints.T
    return x
