"""
HiCLR in ten minutes
====================

You pretrain a small encoder on recorded motion without labels, and see that its features know the actions. The build of
this page takes half a minute; understanding it takes ten.
"""

# %%
# Data without a download
# -----------------------
#
# ``skelaug sample`` writes this set, too: 15 actions, 8 subjects, 3 cameras.
import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import skelaug
from skelaug_contrib import HiCLR
from skelaug_contrib.datasets import EpochBatches, loader, preparation, read, split
from skelaug_contrib.datasets.sample import sample_set
from skelaug_contrib.encoders import STGCN
from skelaug_contrib.evaluate import knn

torch.manual_seed(0)
dataset = sample_set(Path(tempfile.mkdtemp()) / "sample", subjects=8)
parts = split(dataset, "xsub")
print({name: len(ids) for name, ids in parts.items()}, dataset.class_names)

# %%
# Preparation
# -----------
#
# Each body is centred and turned until its shoulders lie along x. Otherwise views of one clip are easy to find by
# place and direction alone, and the encoder learns nothing about what people do. Every clip gets 24 frames.
prepare = preparation(dataset.skeleton, 24, center="frame", align="frame")

# %%
# Views, encoder, loss
# --------------------
#
# ``HiCLR`` holds the policy, the encoder, its slow copy (the momentum encoder) and the queue. One call makes the
# views, encodes them and compares them.
policy = skelaug.policies.hiclr(dataset.skeleton)
encoder = STGCN(dataset.skeleton, widths=(16, 16, 32, 64), strides=(2, 1, 2, 1), kernel=5)
untrained = copy.deepcopy(encoder)  # for comparison
model = HiCLR(encoder, policy, queue_size=512, momentum=0.99)
print(policy.names, sum(p.numel() for p in encoder.parameters()), "parameters")

# %%
# Training
# --------
#
# Draws are keyed by seed, epoch and clip: run this again and every view is the same.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
batches = EpochBatches(parts["train"], batch_size=60, seed=0)
history = []
for epoch in range(25):
    batches.set_position(epoch)
    for clips in loader(dataset, batches):
        keys = skelaug.random.keys(seed=0, epoch=epoch, ids=clips.ids)
        losses = model(prepare(clips.batch, keys=keys), keys=keys)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        history.append([losses["info"].item(), *losses["consistency"].tolist()])

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for values, name in zip(zip(*history, strict=True), ("InfoNCE", "normal from weak", "strong from normal"), strict=True):
    axes.plot(values, label=name)
axes.set_xlabel("step")
axes.set_ylabel("loss")
_ = axes.legend()

# %%
# The losses rise first: the queue fills, so there are more clips to be told apart.
#
# What do the features know?
# --------------------------
#
# Nearest neighbours, with labels, on people who were not trained on. The encoder before training is the baseline.


def features(encoder: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    clips = read(dataset, ids)
    with torch.no_grad():
        return encoder.eval()(prepare(clips.batch))


labels = torch.from_numpy(dataset.label)
train, test = (parts[name].tolist() for name in ("train", "test"))
accuracies = {}
for name, which in (("untrained", untrained), ("HiCLR", encoder)):
    guessed = knn(features(which, train), labels[train], features(which, test))
    accuracies[name] = 100 * float((guessed == labels[test]).float().mean())
    print(f"{name:10} {accuracies[name]:.1f} %")

# %%
# The subjects of this small set are one recording with changes, so the numbers are high. They say that the parts
# work together, and nothing about other data. A study on recorded people is under "Results".
#
# See them
# --------
#
# The test clips on the two main axes of their features; a colour is an action.
points = features(encoder, test)
points = points - points.mean(0)
flat = points @ torch.linalg.svd(points, full_matrices=False).Vh[:2].T
figure, axes = plt.subplots(figsize=(5, 4))
axes.scatter(*flat.T, c=labels[test], cmap="tab20", s=14)
_ = axes.set_axis_off()

# %%
# On the command line the same is ``skelaug pretrain``, ``skelaug knn`` and ``skelaug embed``; there a run can be
# killed and goes on.
