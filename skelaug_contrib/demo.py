"""HiCLR on the bundled clips in a minute: the pieces in a plain loop. A demonstration, not a benchmark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import skelaug
from skelaug import SkeletonBatch
from skelaug.functional import space
from skelaug_contrib.encoders import STGCN
from skelaug_contrib.evaluate import accuracy, knn
from skelaug_contrib.hiclr import HiCLR

__all__ = ["demonstrate", "seen_from", "windows"]

#: Degrees about the vertical axis from which the clips are seen, and degrees from above.
_KNOWN = tuple((about, 0) for about in range(0, 360, 60))
_UNKNOWN = tuple((about, 15) for about in range(30, 390, 60))


def windows(length: int = 24, stride: int = 4) -> SkeletonBatch:
    """Overlapping windows of the bundled clips, each with the pelvis of its first frame at the origin.

    Args:
        length: frames of a window.
        stride: frames from one window to the next.

    Returns:
        x ``(N, 3, length, 15, 1)``, everybody present, labelled with the clip.

    Example:
        >>> windows().x.shape[1:]
        torch.Size([3, 24, 15, 1])
    """
    clips = skelaug.sample_motion(centre=False)
    assert clips.mask is not None and clips.label is not None
    parts, labels = [], []
    for x, mask, label in zip(clips.x, clips.mask, clips.label, strict=True):
        cut = x[:, : int(mask.any(2).sum())].unfold(1, length, stride).permute(1, 0, 4, 2, 3)  # (windows, C, T, V, M)
        parts.append(cut - cut[:, :, :1, :1])
        labels.append(label.expand(len(cut)))
    x = torch.cat(parts).contiguous()
    n, _, t, v, m = x.shape
    return SkeletonBatch(x, torch.ones(n, t, v, m, dtype=torch.bool), label=torch.cat(labels))


def seen_from(batch: SkeletonBatch, cameras: Sequence[tuple[float, float]]) -> SkeletonBatch:
    """The batch once for each camera.

    Args:
        batch: y up.
        cameras: ``(about, above)``, degrees about the vertical y axis, then about x.
    """
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
    cut = windows()
    known, unknown = seen_from(cut, _KNOWN), seen_from(cut, _UNKNOWN)
    found = {}
    for name, method in (("untrained", None), ("weak only", "skeletonclr"), ("HiCLR", "hiclr")):
        torch.manual_seed(seed)
        encoder = STGCN(skeleton, widths=(16, 16, 32), strides=(2, 1, 2), kernel=5, dropout=0.0)
        course = "" if method is None else _pretrain(encoder, method, known, steps, seed)
        found[name] = _score(encoder, known, unknown)
        progress(f"{name:10}  {100 * found[name]:5.1f} %  {course}")
    return found


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
