"""HiCLR on the bundled clips in a minute: the pieces in a plain loop. A demonstration, not a benchmark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import skelaug
from skelaug import SkeletonBatch
from skelaug.functional import space
from skelaug_contrib.datasets import preparation
from skelaug_contrib.encoders import STGCN
from skelaug_contrib.evaluate import accuracy, knn
from skelaug_contrib.hiclr import HiCLR

__all__ = ["demonstrate", "sections", "seen_from"]

# The clips are centred by their first frame and not turned: turned to the shoulders, all cameras would see the same,
# and recognising a clip from another camera would be no task.

#: Degrees about the vertical axis from which the clips are seen, and degrees from above.
_KNOWN = tuple((about, 0) for about in range(0, 360, 60))
_UNKNOWN = tuple((about, 15) for about in range(30, 390, 60))


def sections(count: int = 9, share: float = 0.6, frames: int = 24) -> SkeletonBatch:
    """Overlapping sections of the bundled clips, resized, each with the pelvis of its first frame at the origin.

    Args:
        count: sections a clip, evenly spread from its start to its end.
        share: of the clip's frames in a section.
        frames: that a section is resized to.

    Returns:
        x ``(15 · count, 3, frames, 15, 1)``, everybody present, labelled with the clip.

    Example:
        >>> sections(4).x.shape
        torch.Size([60, 3, 24, 15, 1])
    """
    clips = skelaug.sample_motion(centre=False)
    assert clips.label is not None
    parts = []
    for x, present, label in zip(clips.x, clips.presence, clips.label, strict=True):
        last = int(present.sum())
        length = round(share * last)
        for start in torch.linspace(0, last - length, count).round().long().tolist():
            parts.append(SkeletonBatch(x[None, :, start : start + length], label=label[None]))
    joined = SkeletonBatch.cat(parts)
    prepare = preparation(skelaug.skeletons["humanoid15"], frames)
    ready: SkeletonBatch = prepare(joined, keys=skelaug.random.keys(0, 0, range(len(joined))))
    return ready


def seen_from(batch: SkeletonBatch, cameras: Sequence[tuple[float, float]]) -> SkeletonBatch:
    """The batch, y up, once for each camera: ``(about, above)``, degrees about the vertical y axis, then about x."""
    seen = []
    for about, above in cameras:
        turn = space.rotation_matrix(torch.tensor([[0.0, math.radians(about), 0.0]]))
        tilt = space.rotation_matrix(torch.tensor([[math.radians(above), 0.0, 0.0]]))
        seen.append(batch.replace(x=space.linear(batch.x, (tilt @ turn).expand(len(batch), 3, 3))))
    return SkeletonBatch.cat(seen)


def demonstrate(steps: int = 200, seed: int = 0, progress: Callable[[str], None] = print) -> dict[str, float]:
    """Pretrain on six cameras, without labels; recognise the clip from six others by k-NN.

    Args:
        steps: of each of the two pretrained encoders.
        seed: of weights, batches and augmentation.
        progress: gets a line of text for each encoder.

    Returns:
        k-NN accuracy by name: ``untrained``, ``weak only`` (SkeletonCLR: the basic view alone) and ``HiCLR``.
    """
    skeleton = skelaug.skeletons["humanoid15"]
    cut = sections()
    known, unknown = seen_from(cut, _KNOWN), seen_from(cut, _UNKNOWN)
    accuracies = {}
    for name, method in (("untrained", None), ("weak only", "skeletonclr"), ("HiCLR", "hiclr")):
        torch.manual_seed(seed)
        encoder = STGCN(skeleton, widths=(16, 16, 32), strides=(2, 1, 2), kernel=5, dropout=0.0)
        course = "" if method is None else _pretrain(encoder, method, known, steps, seed)
        accuracies[name] = _score(encoder, known, unknown)
        progress(f"{name:10}  {100 * accuracies[name]:5.1f} %  {course}")
    return accuracies


def _pretrain(encoder: STGCN, method: str, clips: SkeletonBatch, steps: int, seed: int) -> str:
    policy = skelaug.policies.hiclr(encoder.skeleton, fill="token")
    model = HiCLR(encoder, policy, method=method, dim=64, queue_size=512, momentum=0.99)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)
    order, curve = torch.Generator().manual_seed(seed), []
    for step in range(steps):
        ids = torch.randint(len(clips), (64,), generator=order)
        losses = model(clips[ids], keys=skelaug.random.keys(seed, step, torch.arange(len(ids))))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        schedule.step()
        curve.append(losses["info"].detach())
    tenth = max(1, steps // 10)
    first, last = (float(torch.stack(part).mean()) for part in (curve[:tenth], curve[-tenth:]))
    return f"(InfoNCE of the basic view {first:.2f} → {last:.2f} in {steps} steps)"


@torch.no_grad()
def _score(encoder: nn.Module, known: SkeletonBatch, unknown: SkeletonBatch) -> float:
    encoder.eval()
    features, queries = encoder(known), encoder(unknown)
    labels: Tensor = known.label  # type: ignore[assignment]
    return accuracy(knn(features, labels, queries, k=5), unknown.label)  # type: ignore[arg-type]
