"""Write a tree of made-up NTU RGB+D recordings, to measure with: ``python tools/ntu_tree.py FOLDER --files 57000``.

The format and the names are the data set's own, the bodies are procedural motion with a sensor's noise; every tenth
file has two people. 57 000 files of 8 to 12 frames are about 2 GB. The same arguments write the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import skelaug

BATCH = 256  # clips that are made at once
NOISE = 0.002  # metres
INFO = "%d 0 1 1 1 1 0 0.01 -0.25 2\n25\n"  # of a body: its number, hands, lean, tracking state; and its joints
JOINT = "%.7g %.7g %.7g %.7g %.7g %.7g %.7g %.7g %.7g %.7g %.7g 2\n"


def name(number: int) -> str:
    """Set-up, camera, performer, replication, action: all actions before the next camera, and so on."""
    rest, action = divmod(number, 60)
    rest, camera = divmod(rest, 3)
    rest, replication = divmod(rest, 2)
    setup, performer = divmod(rest, 40)
    return f"S{setup + 1:03}C{camera + 1:03}P{performer + 1:03}R{replication + 1:03}A{action + 1:03}"


def text(xyz: np.ndarray, generator: np.random.Generator) -> str:
    """A recording of ``(T, M, 25, 3)`` metres, the sensor at the origin, y up, z away from it."""
    frames, persons = xyz.shape[:2]
    x, y, z = np.moveaxis(xyz, -1, 0)
    turn = generator.normal(size=(4, *x.shape))
    turn /= np.linalg.norm(turn, axis=0)
    depth = 256 + 366 * x / z, 212 - 366 * y / z
    colour = 960 + 1060 * x / z, 540 - 1060 * y / z
    values = np.stack([x, y, z, *depth, *colour, *turn], -1)
    people = "".join(INFO % (72057594037944738 + person) + JOINT * 25 for person in range(persons))
    return f"{frames}\n" + (f"{persons}\n{people}" * frames) % tuple(values.ravel().tolist())


def write(folder: Path, files: int, frames: tuple[int, int], seed: int = 0) -> int:
    """Write the tree, and return its size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    size = 0
    with tqdm(total=files, unit=" files", disable=None) as bar:
        for start in range(0, files, BATCH):
            count = min(BATCH, files - start)
            source = torch.Generator().manual_seed(seed * 1_000_003 + start)
            generator = np.random.default_rng([seed, start])
            motion = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], count, frames[1], 2, generator=source)
            place = motion.x.permute(0, 2, 4, 3, 1).double().numpy()
            place[..., 2] += 3
            place += NOISE * generator.normal(size=place.shape)
            for i in range(count):
                length, persons = int(generator.integers(frames[0], frames[1] + 1)), 2 if (start + i) % 10 == 9 else 1
                content = text(place[i, :length, :persons], generator).encode()
                (folder / f"{name(start + i)}.skeleton").write_bytes(content)
                size += len(content)
            bar.update(count)
    return size


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=57_000)
    parser.add_argument("--frames", type=int, nargs=2, default=(8, 12), metavar=("LEAST", "MOST"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    written = write(given.folder, given.files, tuple(given.frames), given.seed)
    print(f"{given.files} files, {written / 1e9:.2f} GB in {given.folder}")
