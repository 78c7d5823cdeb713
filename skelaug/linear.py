"""Linear factors: what a linear transform does to a sample, as data that can be gated, composed and applied at once.

A factor is a dict with any of these keys, each with one row a sample:

==========  ==================  ===================================================================================
joints      int64 ``(N, V)``    output joint v is input joint ``joints[v]``
frames      int64 ``(N, T')``   output frame t is input frame ``frames[t]``
position    float ``(N, T')``   output frame t lies at ``position[t]`` between two input frames (linear interpolation)
matrix      float ``(N, C, C)`` acts on coordinates as column vectors
scale       float ``(N, C)``    multiplies the coordinates: a diagonal matrix, at a third of the cost; never beside one
kernel      float ``(N, K)``    weights of K neighbouring frames (blur), renormalised over the present ones
after       int64 ``(N, T')``   like ``frames``, applied after ``position`` or ``kernel``; only composition makes it
offset      float ``(N, C)``    added to the coordinates of what is present
==========  ==================  ===================================================================================

They are applied in that order. Matrices, joint maps and frame maps act on different axes and so commute; offsets
commute with time maps because the weights of a time map sum to one over what is present.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skelaug.batch import SkeletonBatch
from skelaug.functional import joints as fj
from skelaug.functional import space as fs
from skelaug.functional import time as ft

__all__ = ["Factor", "apply", "compose", "gate", "joinable"]

Factor = dict[str, Tensor]
KEYS = ("joints", "frames", "position", "matrix", "scale", "kernel", "after", "offset")
_WEIGHTS = {"position", "kernel"}


def of(params: dict[str, Tensor]) -> Factor:
    """The factor inside a linear transform's params."""
    return {key: params[key] for key in KEYS if key in params}


def apply(batch: SkeletonBatch, factor: Factor) -> SkeletonBatch:
    """Apply a factor to a batch. Presence moves with the maps; what is absent stays exactly 0."""
    joints = factor.get("joints")
    more = "frames" in factor and factor["frames"].shape[1] > batch.x.shape[2]
    if more:  # fewer numbers to multiply now than after
        batch = _on_coordinates(batch, factor)
    x, mask = batch.x, batch.mask
    if "frames" in factor:  # with the joints, in one go
        x, mask = ft.take_frames(x, factor["frames"], joints), ft.take_mask(mask, factor["frames"], joints)
    elif joints is not None:
        x, mask = fj.take_joints(x, joints), fj.take_mask(mask, joints)
    if "position" in factor:
        x, mask = ft.lerp_frames(x, factor["position"], mask)
    batch = batch.replace(x=x, mask=mask)._made_from(batch)
    if not more:
        batch = _on_coordinates(batch, factor)
    if "kernel" in factor:
        x = ft.blur_frames(batch.x, factor["kernel"], mask, own=batch._own)
        batch = batch.replace(x=x)._made_from(batch)
    if "after" in factor:
        x, mask = ft.take_frames(batch.x, factor["after"]), ft.take_mask(mask, factor["after"])
        batch = batch.replace(x=x, mask=mask)._made_from(batch)
    if "offset" in factor:
        x = fs.translate(batch.x, factor["offset"], mask, own=batch._own)
        batch = batch.replace(x=x)._made_from(batch)
    return batch


def _on_coordinates(batch: SkeletonBatch, factor: Factor) -> SkeletonBatch:
    if "matrix" in factor:
        return batch.replace(x=fs.linear(batch.x, factor["matrix"]))._made_from(batch)
    if "scale" in factor:
        return batch.replace(x=fs.scale(batch.x, factor["scale"], own=batch._own))._made_from(batch)
    return batch


def gate(factor: Factor, keep: Tensor) -> Factor:
    """Turn the factor into the identity for samples whose ``keep (N,)`` is False; it must not change T."""
    keep = keep.unsqueeze(1)
    gated = dict(factor)
    for key, value in factor.items():
        match key:
            case "matrix":
                eye = torch.eye(value.shape[-1], device=value.device, dtype=value.dtype)
                gated[key] = torch.where(keep.unsqueeze(2), value, eye)
            case "offset" | "scale":
                gated[key] = torch.where(keep, value, float(key == "scale"))
            case "kernel":
                centre = torch.arange(value.shape[1], device=value.device) == value.shape[1] // 2
                gated[key] = torch.where(keep, value, centre.to(value.dtype))
            case _:  # the maps: every frame or joint stays where it is
                still = torch.arange(value.shape[1], device=value.device, dtype=value.dtype)
                gated[key] = torch.where(keep, value, still)
    return gated


def joinable(first: Factor, second: Factor) -> bool:
    """Whether both fit in one run: at most one weight-type time map can be applied at once."""
    return _WEIGHTS.isdisjoint(first) or _WEIGHTS.isdisjoint(second)


def compose(first: Factor, second: Factor) -> Factor:
    """The factor that does ``first``, then ``second``."""
    out = first | second
    if "joints" in first and "joints" in second:
        out["joints"] = first["joints"].gather(1, second["joints"])
    if "frames" in second and not _WEIGHTS.isdisjoint(first):
        out.pop("frames", None)
        if "frames" in first:
            out["frames"] = first["frames"]
        after = second["frames"]
        out["after"] = first["after"].gather(1, after) if "after" in first else after
    elif "frames" in first and "frames" in second:
        out["frames"] = first["frames"].gather(1, second["frames"])
    if "matrix" in first and "matrix" in second:
        out["matrix"] = fs.chain(second["matrix"], first["matrix"])
    elif "matrix" in first and "scale" in second:
        out["matrix"] = first["matrix"] * out.pop("scale").unsqueeze(2)
    elif "scale" in first and "matrix" in second:
        out["matrix"] = second["matrix"] * out.pop("scale").unsqueeze(1)
    elif "scale" in first and "scale" in second:
        out["scale"] = first["scale"] * second["scale"]
    if "offset" in first:
        moved = first["offset"]
        if "matrix" in second:
            moved = fs.chain(second["matrix"], moved.unsqueeze(2)).squeeze(2)
        elif "scale" in second:
            moved = moved * second["scale"]
        out["offset"] = moved + second["offset"] if "offset" in second else moved
    return out
