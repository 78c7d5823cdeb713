"""Run the feeder of AimCLR, HiCLR or CTR-GCN from your own copy of its code, with skelaug in the place of its tools.

    python run_feeder.py --peer aimclr=PATH nw_ucla.npz
    python run_feeder.py --peer hiclr=PATH --peer ctrgcn=PATH nw_ucla.npz --faithful

PATH is a checkout of the peer's repository; nothing in it is changed or copied. Its feeder module is imported with
``feeder.tools`` (CTR-GCN: ``feeders.tools``) standing for ``skelaug.compat``, which is what changing the one import
does, and its data sets are looped over by a DataLoader, on CPU tensors.

The data are one ``.npz`` with ``x`` float (N, 3, T, V, M), zero padded, and optionally ``length`` and ``label``; 20
joints in the order of the first Kinect (NW-UCLA), or NTU's 25. They are written to a temporary folder as the feeder
reads them: as NTU's 25 joints and two persons, for CTR-GCN's feeder knows nothing else. Of 20 joints, NTU's spine joint
between the shoulders is the shoulder centre, and finger tips and thumbs are the hand.
"""

import argparse
import importlib
import multiprocessing
import pickle
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

import skelaug
from skelaug.compat import aimclr, ctrgcn

#: Kinect's 20 joints as NTU's 25: the first 20 are the same in both.
NTU_FROM_KINECT = [*range(20), 2, 7, 7, 11, 11]
#: Where each peer keeps its feeder, and what stands for its tools.
PEERS = {
    "aimclr": ("feeder.ntu_feeder", "feeder.tools", aimclr),
    "hiclr": ("feeder.ntu_feeder", "feeder.tools", aimclr),
    "ctrgcn": ("feeders.feeder_ntu", "feeders.tools", ctrgcn),
}


def read(path):
    """The clips (N, 3, T, 25, 2), their lengths and labels."""
    with np.load(path, allow_pickle=False) as file:
        x = file["x"].astype(np.float32)
        length = file["length"] if "length" in file else np.full(len(x), x.shape[2])
        label = file["label"] if "label" in file else np.zeros(len(x), int)
    if x.ndim != 5 or x.shape[1] != 3 or x.shape[3] not in (20, 25) or x.shape[4] > 2:
        sys.exit(f"{path}: x must be (N, 3, T, 20 or 25 joints, 1 or 2 persons), got {x.shape}")
    if x.shape[3] == 20:
        x = x[:, :, :, NTU_FROM_KINECT]
    return np.pad(x, [(0, 0)] * 4 + [(0, 2 - x.shape[4])]), length, label


def write_aimclr(folder, x, length, label):
    """AimCLR's and HiCLR's files: every clip resized to 50 frames, and names with labels."""
    clips = skelaug.SkeletonBatch.from_lengths(torch.from_numpy(x), torch.from_numpy(length))
    data = folder / "train_position.npy"
    np.save(data, skelaug.transforms.CropResize((1, 1), length=50)(clips).x.numpy())
    with open(folder / "train_label.pkl", "wb") as file:
        pickle.dump(([f"clip{i}" for i in range(len(x))], label.tolist()), file)
    return {"data_path": str(data), "label_path": str(folder / "train_label.pkl")}


def write_ctrgcn(folder, x, length, label):
    """CTR-GCN's file: clips as (N, T, M·V·C), labels one-hot."""
    flat = skelaug.to_layout(torch.from_numpy(x), "NCTVM", "N T (M V C)").numpy()
    onehot = np.eye(label.max() + 1)[label]
    np.savez(folder / "data.npz", x_train=flat, y_train=onehot, x_test=flat[::4], y_test=onehot[::4])
    return {"data_path": str(folder / "data.npz"), "window_size": 64}


def import_feeder(peer, path, tools):
    """The peer's feeder module, with ``tools`` in the place of its own."""
    name, tools_name, _ = PEERS[peer]
    if not (Path(path) / f"{name.replace('.', '/')}.py").is_file():
        sys.exit(
            f"--peer {peer}={path}: no {name.replace('.', '/')}.py there; give a checkout of the peer's repository"
        )
    for loaded in [m for m in sys.modules if m.split(".")[0] == name.split(".")[0]]:
        del sys.modules[loaded]  # another peer's package of the same name
    sys.path.insert(0, str(path))
    try:
        sys.modules[tools_name] = tools
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(path))


def feeders(peer, module, arguments):
    """The peer's data sets, with the options of its own configurations."""
    if peer == "ctrgcn":
        yield "train", module.Feeder(**arguments, split="train", p_interval=[0.5, 1], random_rot=True)
        yield "train, bone", module.Feeder(**arguments, split="train", p_interval=[0.5, 1], random_rot=True, bone=True)
        yield "train, motion", module.Feeder(**arguments, split="train", p_interval=[0.5, 1], random_rot=True, vel=True)
        yield "test", module.Feeder(**arguments, split="test", p_interval=[0.95])
    else:
        yield "Feeder_single", module.Feeder_single(**arguments)
        yield "Feeder_triple", module.Feeder_triple(**arguments, aug_method="123456")


def run(peer, path, data, *, batch_size=128, workers=0, faithful=False):
    """Loop once over each of the peer's data sets; returns what was seen: name, clips, seconds, first batch."""
    _, _, compat = PEERS[peer]
    module = import_feeder(peer, path, compat.with_options(faithful=True) if faithful else compat)
    context = multiprocessing.get_context("fork") if workers else None  # a fresh process would import the peer's tools
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = (write_ctrgcn if peer == "ctrgcn" else write_aimclr)(Path(folder), *data)
        for name, dataset in feeders(peer, module, arguments):
            torch.manual_seed(0)
            loader = DataLoader(
                dataset, batch_size, shuffle=True, drop_last=True, num_workers=workers, multiprocessing_context=context
            )
            clips, start, first = 0, time.perf_counter(), None
            for batch in loader:
                views = batch[0] if isinstance(batch[0], list) else [batch[0]]
                for view in views:
                    if not view.isfinite().all() or view.dtype != torch.float32:
                        sys.exit(f"{peer} {name}: a batch of {view.dtype} that is not finite throughout")
                clips += len(views[0])
                first = views if first is None else first
            if first is None:
                sys.exit(f"{peer} {name}: {len(dataset)} clips make no batch of {batch_size}; give a --batch-size")
            seen.append((name, clips, time.perf_counter() - start, first))
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA.npz")
    parser.add_argument("--peer", action="append", required=True, metavar="NAME=PATH", help="aimclr, hiclr or ctrgcn")
    parser.add_argument("--faithful", action="store_true", help="the originals' distributions, quirks included")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader (by fork)")
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    data = read(options.data)
    for given in options.peer:
        peer, _, path = given.partition("=")
        if peer not in PEERS or not path:
            parser.error(f"--peer {given}: give NAME=PATH, NAME one of {', '.join(PEERS)}")
        settings = {"batch_size": options.batch_size, "workers": options.workers, "faithful": options.faithful}
        for name, clips, seconds, views in run(peer, path, data, **settings):
            shape = " ".join([f"{len(views)} ×", str(tuple(views[0].shape))])
            print(
                f"{peer:7} {name:14} {clips:5} clips  {shape}  {views[0].dtype}  {1000 * seconds / clips:.2f} ms a clip"
            )


if __name__ == "__main__":
    main()
