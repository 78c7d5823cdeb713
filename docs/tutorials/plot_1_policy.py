"""
Your first policy
=================

You make a policy for real motion, look at what it does, and say which random numbers it uses.
"""

# %%
# Data
# ----
#
# skelaug comes with recorded motion: 15 clips of a humanoid with 15 joints. ``x`` has the shape ``(N, C, T, V,
# M)``: sample, coordinate, frame, joint, person.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import skelaug
from skelaug import plot
from skelaug.motion import clip_names
from skelaug.transforms import Blur, GaussianNoise, JointMask, Mirror, Rotate, TemporalCrop

clips = skelaug.sample_motion(length=48)
skeleton = skelaug.skeletons["humanoid15"]
print(clips.x.shape)

# %%
# Choose one clip of a kick, and draw it. Time runs to the right; blue is left, orange is right.
kick = clip_names().index("kick")
clip = clips[clips.label.tolist().index(kick)]
figure, axes = plt.subplots(figsize=(9, 1.8))
plot.strip(clip, skeleton, ax=axes)

# %%
# One transform
# -------------
#
# A transform is called like a function. Each clip of the batch gets a draw of its own. Here the clip is repeated
# four times, so you see four draws.
rotate = Rotate(40, axes="y", about="body")
four = clip[torch.zeros(4, dtype=torch.int64)]
turned = rotate(four, keys=skelaug.random.keys(seed=0, epoch=0, ids=range(4)))

figure, rows = plt.subplots(4, 1, figsize=(9, 6.4))
for i, axes in enumerate(rows):
    plot.strip(turned[i : i + 1], skeleton, before=clip, ax=axes)

# %%
# A policy
# --------
#
# ``Compose`` applies transforms in order. ``p`` is the probability for each clip.
policy = skelaug.Compose(
    [
        TemporalCrop(6),
        Rotate(30, axes="y", about="body"),
        Mirror(skeleton, axis="z", p=0.5),
        GaussianNoise(0.01, p=0.5),
        JointMask(0.1),
    ]
)
print(policy)

# %%
# To train with it, call it on the batch: on the CPU or on the GPU, where the batch is.
y = policy(clips)
print(y.x.shape, y.x.device)

# %%
# From weak to strong
# -------------------
#
# A growing policy gives several views. View *i* holds the stages up to *i*.
growing = skelaug.GrowingPolicy(
    weak=[TemporalCrop(6)],
    normal=[Rotate(30, axes="y", about="body"), Blur((0.5, 2.0), p=0.5)],
    strong=[JointMask(0.2)],
)
keys = skelaug.random.keys(seed=0, epoch=0, ids=range(len(clips)))
views = growing.views(clips, keys=keys)

index = clips.label.tolist().index(kick)
figure, rows = plt.subplots(3, 1, figsize=(9, 5))
for axes, name, view in zip(rows, growing.names, views, strict=True):
    plot.strip(view[index], skeleton, before=clips[index], ax=axes)
    axes.set_title(name, fontsize=10)

# %%
# How far does each view move the joints? The unit is the size of the body.
for name, value in zip(growing.names, growing.strength(clips, keys=keys).tolist(), strict=True):
    print(f"{name:7} {value:.3f}")

# %%
# The same draw again
# -------------------
#
# Keys make a draw a function of seed, epoch and clip. The order of the batch makes no difference.
order = torch.randperm(len(clips))
again = growing.views(clips[order], keys=keys[order])
print(all(torch.allclose(view.x[order], other.x) for view, other in zip(views, again, strict=True)))

# %%
# Keep it
# -------
#
# A policy goes to plain data and to YAML, and back. Everything that takes a policy takes the file.
path = Path(tempfile.mkdtemp()) / "policy.yaml"
skelaug.config.to_yaml(growing, path)
print(path.read_text())
