"""Drop-in for ``feeders/tools.py`` of CTR-GCN and its relatives (InfoGCN, BlockGCN, …): the same names and signatures.

In a feeder one line changes:

.. code-block:: diff

    -from feeders import tools
    +from skelaug.compat import ctrgcn as tools

Every function takes one clip ``(C, T, V, M)`` = coordinate, frame, joint, person as a NumPy array of float16, float32
or float64 and returns a new, contiguous array of the same type; the clip that was given is never written to. Two keep
their original's type, for their callers' sake: :func:`valid_crop_resize` always gives float32, :func:`random_rot` a
torch Tensor.

By default each is the corrected form, for which people who are absent (all joints exactly 0) stay absent.
``faithful=True`` draws from the original's distribution, its quirks included; :func:`with_options` fixes it for a whole
feeder. Both work with NumPy 2.4, where the original's crop fails.

Draws come from torch's global CPU generator, in a worker of a DataLoader from the worker's own, which differs over
workers, ranks and epochs and repeats for a seed (:func:`skelaug.workers.worker_generator`). ``random.seed`` and
``numpy.random.seed`` have no say.

A clip that is no NumPy array of floats raises TypeError, one of another shape ValueError; the functions below name only
their other errors, all of them ValueError.

Source: CTR-GCN (Chen et al., ICCV 2021), after ST-GCN (Yan et al., AAAI 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skelaug import check
from skelaug.compat import _clips as clips
from skelaug.compat._clips import Array
from skelaug.functional import space as fs
from skelaug.functional import time as ft
from skelaug.functional import values as fv

__all__ = [
    "auto_pading",
    "random_choose",
    "random_move",
    "random_rot",
    "random_shift",
    "valid_crop_resize",
    "with_options",
]

#: Frames that a random crop keeps at least, if the clip has as many; the original's number.
_LEAST = 64


def valid_crop_resize(
    data_numpy: Array, valid_frame_num: int, p_interval: Sequence[float] | float, window: int, *, faithful: bool = False
) -> Array:
    """Cut a part of the valid frames and resize it to ``window`` frames by linear interpolation.

    Drawn per clip, for two shares: the share of the frames that is kept, U(low, high) but at least 64 frames, and where
    the part starts. With one share nothing is drawn: the middle is kept.

    Args:
        data_numpy: ``(C, T, V, M)``.
        valid_frame_num: number of frames that are not padding.
        p_interval: ``[low, high]`` or ``[share]``, each in [0.001, 1]; a number is one share.
        window: frames of the result.
        faithful: cut whole frames of the first ``valid_frame_num``, resize as images are (half-pixel centres), and
            blend present with absent frames. By default the part lies in the span that begins where somebody is first
            there and holds ``valid_frame_num`` frames with somebody in them; its ends are kept, and people are absent
            between an absent frame and another. A clip without anybody gives zeros.

    Returns:
        float32 ``(C, window, V, M)``, whatever the type of the clip.

    Raises:
        ValueError: ``valid_frame_num`` not in 1 … T (0 is right for an empty clip, unless faithful),
            a share not in [0.001, 1], or ``window`` < 1.

    Example:
        >>> import numpy as np
        >>> valid_crop_resize(np.ones((3, 300, 25, 2), np.float32), 120, [0.5, 1], 64).shape
        (3, 64, 25, 2)
    """
    who = "ctrgcn.valid_crop_resize"
    x = clips.read(who, data_numpy, faithful).float()
    valid = check.count(who, "valid_frame_num", valid_frame_num, low=0)
    if valid > x.shape[2]:
        raise ValueError(f"{who}(valid_frame_num={valid}): the clip has only {x.shape[2]} frames, (C, T, V, M)")
    low, high = _shares(who, p_interval)
    window = clips.frames(who, "window", window)
    if faithful:
        if not valid:
            raise ValueError(f"{who}(valid_frame_num=0, faithful=True): the original has no answer; use faithful=False")
        return clips.array(_crop_resize_released(x, valid, low, high, window))
    seen = clips.frames_with_anybody(x)
    if not seen:
        return np.zeros((x.shape[1], window, *x.shape[3:]), np.float32)
    if not valid:
        raise ValueError(f"{who}(valid_frame_num=0): {len(seen)} frames of the clip have somebody in them")
    start, last = seen[0], seen[min(valid, len(seen)) - 1]
    if high is None:
        share, place = low, 0.5
    else:
        share = max(clips.uniform(low, high).item(), min(1.0, _LEAST / (last - start + 1)))
        place = clips.uniform(0, 1).item()
    kept = (last - start) * share
    first = start + (last - start - kept) * place
    ends = (first, first + kept) if window > 1 else (first + kept / 2,) * 2
    position = torch.linspace(*ends, window, dtype=x.dtype, device=x.device)
    position = position.clamp(max=last)  # rounding past the last frame would interpolate with what comes after
    mask = ft.lerp_seen(clips.presence(x, everybody=False), position[None])
    return clips.array(ft.lerp_frames(x, position[None], mask))


def _shares(who: str, p_interval: Any) -> tuple[float, float | None]:
    """One share, or two in order."""
    shares = list(p_interval) if isinstance(p_interval, list | tuple | np.ndarray) else [p_interval]
    if len(shares) not in (1, 2):
        raise ValueError(f"{who}(p_interval={p_interval!r}): give one share or [low, high], got {len(shares)} numbers")
    if len(shares) == 2:
        return check.span(who, "p_interval", shares, low=1e-3, high=1, single="none")
    return check.number(who, "p_interval", shares[0], low=1e-3, high=1), None


def _crop_resize_released(x: Tensor, valid: int, low: float, high: float | None, window: int) -> Tensor:
    """The original's: whole frames, and the resize of an image."""
    if high is None:
        cut = int((1 - low) * valid / 2)
        part = x[:, :, cut : valid - cut]
    else:
        kept = min(max(int(valid * clips.uniform(low, high).item()), _LEAST), valid)
        first = clips.integer(0, valid - kept)
        part = x[:, :, first : first + kept]
    n, c, t, v, m = part.shape
    rows = part.permute(0, 1, 3, 4, 2).reshape(n, c * v * m, t)
    resized = torch.nn.functional.interpolate(rows, size=window, mode="linear", align_corners=False)
    return resized.view(n, c, v, m, window).permute(0, 1, 4, 2, 3)


def random_rot(data_numpy: Array, theta: float = 0.3, *, coords: Any = None, faithful: bool = False) -> Tensor:
    """Rotate about x, then y, then z.

    Drawn per clip: the three angles, U(-theta, theta); in 2D one.

    Args:
        data_numpy: ``(C, T, V, M)``, two or three coordinates.
        theta: largest angle in radians, ≥ 0.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: no difference; both forms are the original's distribution, whose opposite sense the symmetric angles
            make up for.

    Returns:
        A contiguous torch Tensor of the clip's shape and type, as the original, for there are callers that go on with a
        Tensor's methods. ``numpy.asarray`` takes it.

    Raises:
        ValueError: ``theta`` < 0.
    """
    x = clips.read("ctrgcn.random_rot", data_numpy, faithful)
    channels = clips.coordinates("ctrgcn.random_rot", coords, x, (2, 3))
    theta = check.number("ctrgcn.random_rot", "theta", theta, low=0)
    angles = clips.uniform(-theta, theta, 3 if len(channels) == 3 else 1)
    return fv.put(x, fs.linear(fv.pick(x, channels), fs.rotation_matrix(angles)), channels)[0]


def random_move(
    data_numpy: Array,
    angle_candidate: Sequence[float] = (-10.0, -5.0, 0.0, 5.0, 10.0),
    scale_candidate: Sequence[float] = (0.9, 1.0, 1.1),
    transform_candidate: Sequence[float] = (-0.2, -0.1, 0.0, 0.1, 0.2),
    move_time_candidate: Sequence[int] = (1,),
    *,
    faithful: bool = False,
) -> Array:
    """A moving camera: rotation, scale and shift of x and y that change linearly between moments.

    Drawn per clip: the number of stretches; at each of their ends one angle, scale, shift along x and shift along y of
    the candidates. Other coordinates keep their values (the third may be a score).

    Args:
        data_numpy: ``(C, T, V, M)``, two coordinates or more.
        angle_candidate: degrees about z, counter-clockwise.
        scale_candidate: factors.
        transform_candidate: shifts, in the units of the data.
        move_time_candidate: numbers of stretches, ≥ 1.
        faithful: absent people move too, away from 0; with two or more stretches each begins with the pose at which the
            one before ended, so the camera stands still for a frame. By default absent people stay absent and the
            motion goes on.

    Raises:
        ValueError: candidates that are not numbers.
    """
    who = "ctrgcn.random_move"
    x = clips.read(who, data_numpy, faithful)
    if x.shape[1] < 2:
        raise ValueError(f"{who}: the clip must have 2 coordinates or more, got shape {data_numpy.shape}, (C, T, V, M)")
    listed = _listed(who, "move_time_candidate", move_time_candidate)
    counts = [check.count(who, "move_time_candidate", candidate) for candidate in listed]
    moves = counts[clips.integer(0, len(counts) - 1)]
    angle = _choose(who, "angle_candidate", angle_candidate, moves + 1).deg2rad()
    scale = _choose(who, "scale_candidate", scale_candidate, moves + 1)
    right, up = (_choose(who, "transform_candidate", transform_candidate, moves + 1) for _ in range(2))
    nodes = torch.stack([angle, scale, right, up])
    path = _path_released(nodes, x.shape[2]) if faithful else ft.between_nodes(nodes, x.shape[2])
    angle, scale, right, up = path[:, :, None, None]
    cos, sin = scale * angle.cos(), scale * angle.sin()
    seen = clips.presence(x, everybody=faithful)
    moved = torch.stack([cos * x[:, 0] - sin * x[:, 1] + right, sin * x[:, 0] + cos * x[:, 1] + up], 1)
    x[:, :2] = torch.where(seen[:, None], moved, 0)
    return clips.array(x)


def _listed(who: str, name: str, candidates: Any) -> list[Any]:
    """The candidates, of which there must be one."""
    if not isinstance(candidates, list | tuple | np.ndarray) or not len(candidates):
        raise ValueError(f"{who}({name}={candidates!r}): {name} must be a list of numbers to choose from")
    return list(candidates)


def _choose(who: str, name: str, candidates: Any, count: int) -> Tensor:
    """``count`` of the candidates, with replacement."""
    values = [check.number(who, name, c) for c in _listed(who, name, candidates)]
    return torch.tensor(values, dtype=torch.float32, device="cpu")[clips.integers(0, len(values) - 1, count)]


def _path_released(nodes: Tensor, frames: int) -> Tensor:
    """The original's: stretches of whole frames, each from node to node with both ends."""
    moves = nodes.shape[1] - 1
    edges = [round(i * frames / moves) for i in range(moves)] + [frames]
    counts = [edges[i + 1] - edges[i] for i in range(moves)]
    parts = [torch.linspace(0, 1, count, dtype=nodes.dtype, device=nodes.device) for count in counts]
    return torch.cat([torch.lerp(nodes[:, i, None], nodes[:, i + 1, None], p) for i, p in enumerate(parts)], 1)


def random_shift(data_numpy: Array, *, faithful: bool = False) -> Array:
    """Move what is between the first and the last valid frame to a random place in the clip, zeros around it.

    Drawn per clip: the place.

    Args:
        data_numpy: ``(C, T, V, M)``.
        faithful: no difference; both forms are the original's distribution.
    """
    x = clips.read("ctrgcn.random_shift", data_numpy, faithful)
    start, stop = clips.span(x)
    return clips.array(_placed(x[:, :, start:stop], x.shape[2], clips.integer(0, x.shape[2] - (stop - start))))


def auto_pading(data_numpy: Array, size: int, random_pad: bool = False, *, faithful: bool = False) -> Array:
    """Fill a clip shorter than ``size`` frames up with zeros; a longer one stays as it is.

    Drawn per clip, with ``random_pad``: how many of the zeros come first.

    Args:
        data_numpy: ``(C, T, V, M)``.
        size: frames wanted.
        random_pad: put zeros before the clip too; else after it only.
        faithful: no difference; both forms are the original's distribution.

    Raises:
        ValueError: ``size`` < 1.
    """
    x = clips.read("ctrgcn.auto_pading", data_numpy, faithful)
    random_pad = clips.flag("ctrgcn.auto_pading", "random_pad", random_pad)
    spare = clips.frames("ctrgcn.auto_pading", "size", size) - x.shape[2]
    if spare <= 0:
        return clips.array(x)
    return clips.array(_placed(x, x.shape[2] + spare, clips.integer(0, spare) if random_pad else 0))


def random_choose(data_numpy: Array, size: int, auto_pad: bool = True, *, faithful: bool = False) -> Array:
    """Cut a random window of ``size`` frames; a shorter clip is filled up with zeros, at both ends.

    Drawn per clip: the window's place, or the place of the clip among the zeros.

    Args:
        data_numpy: ``(C, T, V, M)``.
        size: frames wanted.
        auto_pad: fill up; else a shorter clip stays as it is.
        faithful: a window anywhere, of padding alone if it so happens. By default it lies within the span in which
            anybody is there or, if that is shorter, around it.

    Raises:
        ValueError: ``size`` < 1.
    """
    x = clips.read("ctrgcn.random_choose", data_numpy, faithful)
    auto_pad = clips.flag("ctrgcn.random_choose", "auto_pad", auto_pad)
    spare = x.shape[2] - clips.frames("ctrgcn.random_choose", "size", size)
    if spare == 0 or (spare < 0 and not auto_pad):
        return clips.array(x)
    if spare < 0:
        return clips.array(_placed(x, x.shape[2] - spare, clips.integer(0, -spare)))
    low, high = 0, spare
    if not faithful:
        start, stop = clips.span(x)
        ends = start, stop - size
        low, high = max(min(ends), 0), min(max(ends), spare)
    begin = clips.integer(low, high)
    return clips.array(x[:, :, begin : begin + size])


def _placed(x: Tensor, frames: int, begin: int) -> Tensor:
    """``x`` as frames ``begin …`` of a longer clip of zeros."""
    return torch.nn.functional.pad(x, (0, 0, 0, 0, begin, frames - begin - x.shape[2]))


def with_options(**options: Any) -> SimpleNamespace:
    """These functions with options fixed, for a feeder that calls them as the original does.

    Args:
        **options: ``faithful`` and ``coords``; each goes to the functions that take it.

    Raises:
        TypeError: an option that no function takes.

    Example:
        >>> import numpy as np
        >>> tools = with_options(faithful=True)
        >>> tools.random_shift(np.ones((3, 50, 20, 1), np.float32)).shape
        (3, 50, 20, 1)
    """
    functions = [globals()[name] for name in __all__ if name != "with_options"]
    return clips.fix_options("ctrgcn.with_options", functions, options)
