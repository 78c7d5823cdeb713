"""Drop-in for ``feeder/tools.py`` of AimCLR, HiCLR and their relatives: the same names, signatures and shapes.

In a feeder one line changes:

.. code-block:: diff

    -from . import tools
    +from skelaug.compat import aimclr as tools

Every function takes one clip ``(C, T, V, M)`` = coordinate, frame, joint, person as a NumPy array of float16, float32
or float64 and returns a new, contiguous array of the same type and shape; the clip that was given is never written to.

By default each is the corrected form: people who are absent (all joints exactly 0) stay absent, the blur keeps the size
of the body, angles go both ways. ``faithful=True`` draws from the original's distribution, its quirks included. To fix
it, or another skeleton, for a whole feeder, use :func:`with_options`.

Draws come from torch's global CPU generator, in a worker of a DataLoader from the worker's own, which differs over
workers, ranks and epochs and repeats for a seed (:func:`skelaug.workers.worker_generator`). ``random.seed`` and
``numpy.random.seed`` have no say.

A clip that is no NumPy array of floats raises TypeError, one of another shape ValueError; the functions below name only
their other errors, all of them ValueError.

Source: AimCLR (Guo et al., AAAI 2022); HiCLR (Zhang et al., AAAI 2023), whose file is the same.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from skelaug import check
from skelaug.adapters import find_skeleton
from skelaug.compat import _clips as clips
from skelaug.compat._clips import Array
from skelaug.functional import joints as fj
from skelaug.functional import space as fs
from skelaug.functional import time as ft
from skelaug.functional import values as fv
from skelaug.skeleton import Skeleton

__all__ = [
    "axis_mask",
    "gaus_filter",
    "gaus_noise",
    "random_rotate",
    "random_spatial_flip",
    "random_time_flip",
    "shear",
    "temperal_crop",
    "with_options",
]


def shear(data_numpy: Array, r: float = 0.5, *, coords: Any = None, faithful: bool = False) -> Array:
    """Shear the body: each coordinate gains a share of each other one.

    Drawn per clip: the shares, six in 3D and two in 2D, U(-r, r).

    Args:
        data_numpy: ``(C, T, V, M)``, two or three coordinates.
        r: largest share, ≥ 0.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: no difference; both forms are the original's distribution.

    Raises:
        ValueError: an ``r`` < 0.

    Example:
        >>> import numpy as np
        >>> y = shear(np.ones((3, 50, 25, 2), np.float32))
        >>> y.shape, y.dtype
        ((3, 50, 25, 2), dtype('float32'))
    """
    x = clips.read("aimclr.shear", data_numpy, faithful)
    channels = clips.coordinates("aimclr.shear", coords, x, (2, 3))
    r, c = check.number("aimclr.shear", "r", r, low=0), len(channels)
    sheared = fs.linear(fv.pick(x, channels), fs.shear_matrix(clips.uniform(-r, r, c * (c - 1))))
    return clips.array(fv.put(x, sheared, channels))


def temperal_crop(data_numpy: Array, temperal_padding_ratio: int = 6, *, faithful: bool = False) -> Array:
    """Reflect the clip at both ends and cut a window of the old length.

    Drawn per clip: the window's place.

    Args:
        data_numpy: ``(C, T, V, M)``.
        temperal_padding_ratio: length over the padding of one end, ≥ 1.
        faithful: pad and crop all T frames, absent ones too. By default the span from the first to the last frame
            in which anybody is there, so that padding stays where it is.

    Raises:
        ValueError: a ratio that is no whole number ≥ 1.
    """
    x = clips.read("aimclr.temperal_crop", data_numpy, faithful)
    ratio = check.count("aimclr.temperal_crop", "temperal_padding_ratio", temperal_padding_ratio)
    start, stop = (0, x.shape[2]) if faithful else clips.span(x)
    padding = (stop - start) // ratio
    shift = clips.integer(-padding, padding)
    frames = torch.arange(x.shape[2] + 1, device=x.device)
    shown = ft.reflect(frames[start:stop] + shift, frames[start], frames[stop])
    x[:, :, start:stop] = x[:, :, shown]
    return clips.array(x)


def random_spatial_flip(
    seq: Array, p: float = 0.5, *, skeleton: Skeleton | str = "ntu25", faithful: bool = False
) -> Array:
    """Exchange left and right joints by relabelling; coordinates keep their values.

    Drawn per clip: whether.

    Args:
        seq: ``(C, T, V, M)``.
        p: probability.
        skeleton: of the data, or its name; the original knows NTU's 25 joints alone.
        faithful: no difference; both forms are the original's distribution.

    Raises:
        ValueError: another number of joints, no such skeleton, or ``p`` is no probability.
    """
    x, applied = _read_and_draw("random_spatial_flip", seq, faithful, p)
    skeleton = find_skeleton("aimclr.random_spatial_flip", skeleton)
    if x.shape[3] != len(skeleton):  # whether or not it is applied
        raise ValueError(
            f"aimclr.random_spatial_flip: skeleton {skeleton.name!r} has {len(skeleton)} joints, the clip has "
            f"{x.shape[3]}, shape {tuple(x.shape[1:])}; pass the skeleton of the data, skeleton=…"
        )
    mirror = torch.tensor([skeleton.mirror], device=x.device)
    return clips.array(fj.take_joints(x, mirror) if applied else x)


def random_time_flip(seq: Array, p: float = 0.5, *, faithful: bool = False) -> Array:
    """Play the clip backwards.

    Drawn per clip: whether.

    Args:
        seq: ``(C, T, V, M)``.
        p: probability.
        faithful: reverse all T frames, so that padding comes first. By default the span from the first to the last
            frame in which anybody is there.

    Raises:
        ValueError: ``p`` is no probability.
    """
    x, applied = _read_and_draw("random_time_flip", seq, faithful, p)
    if applied:
        start, stop = (0, x.shape[2]) if faithful else clips.span(x)
        x[:, :, start:stop] = x[:, :, start:stop].flip(2)
    return clips.array(x)


def random_rotate(seq: Array, *, coords: Any = None, faithful: bool = False) -> Array:
    """Rotate about x, then y, then z: far about one of them, a little about the other two.

    Drawn per clip: the main axis, and the angles: U(-30°, 30°) about it, U(-1°, 1°) about the others.

    Args:
        seq: ``(C, T, V, M)``, two or three coordinates.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: one-sided angles, clockwise against the axis: right-handed U(-30°, 0°) and U(-1°, 0°).
    """
    x = clips.read("aimclr.random_rotate", seq, faithful)
    channels = clips.coordinates("aimclr.random_rotate", coords, x, (2, 3))
    if len(channels) == 2:
        angles = clips.uniform(-30, 0 if faithful else 30)
    else:
        angles = clips.uniform(-1, 0 if faithful else 1, 3)
        angles[0, clips.integer(0, 2)] *= 30
    turned = fs.linear(fv.pick(x, channels), fs.rotation_matrix(angles.deg2rad_()))
    return clips.array(fv.put(x, turned, channels))


def gaus_noise(
    data_numpy: Array,
    mean: float = 0,
    std: float = 0.01,
    p: float = 0.5,
    *,
    coords: Any = None,
    faithful: bool = False,
) -> Array:
    """Add independent Gaussian noise to every coordinate of every joint.

    Drawn per clip: whether; per coordinate, frame, joint and person: the noise.

    Args:
        data_numpy: ``(C, T, V, M)``.
        mean: of the noise, in the units of the data.
        std: its standard deviation, in the units of the data.
        p: probability.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: on absent people and padded frames too, which become clouds about the origin. By default on those
            who are there.

    Raises:
        ValueError: ``std`` < 0, or ``p`` is no probability.
    """
    mean = check.number("aimclr.gaus_noise", "mean", mean)
    std = check.number("aimclr.gaus_noise", "std", std, low=0)
    x, applied = _read_and_draw("gaus_noise", data_numpy, faithful, p)
    channels = clips.coordinates("aimclr.gaus_noise", coords, x)
    if applied:
        part = fv.pick(x, channels)
        noise = clips.normal(part.shape).mul_(std).add_(mean)
        x = fv.put(x, fv.add_noise(part, noise, clips.presence(x, everybody=faithful)), channels)
    return clips.array(x)


def gaus_filter(data_numpy: Array, *, coords: Any = None, faithful: bool = False) -> Array:
    """Blur along time with 15 Gaussian weights.

    Drawn per clip: whether (half of the time), and the width, sigma U(0.1, 2) frames.

    Args:
        data_numpy: ``(C, T, V, M)``.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: weights that add up to 1 … 5 and enlarge the body as much, zeros beyond the ends, and smears of the
            present into absent frames. By default weights that add up to 1 over the frames where the person is there.
    """
    x, applied = _read_and_draw("gaus_filter", data_numpy, faithful, 0.5)
    channels = clips.coordinates("aimclr.gaus_filter", coords, x)
    if applied:
        kernel, seen = ft.blur_kernel(clips.uniform(0.1, 2)[0], 15), clips.presence(x, everybody=faithful)
        x = fv.put(x, ft.blur_frames(fv.pick(x, channels), kernel, seen, normalize=not faithful), channels)
    return clips.array(x)


def axis_mask(data_numpy: Array, p: float = 0.5, *, coords: Any = None, faithful: bool = False) -> Array:
    """Set one coordinate to 0.

    Drawn per clip: whether, and which.

    Args:
        data_numpy: ``(C, T, V, M)``.
        p: probability.
        coords: channels that are coordinates: a number of leading ones, or indices; None: all.
        faithful: no difference; both forms are the original's distribution.

    Raises:
        ValueError: ``p`` is no probability.
    """
    x, applied = _read_and_draw("axis_mask", data_numpy, faithful, p)
    channels = clips.coordinates("aimclr.axis_mask", coords, x)
    if applied:
        x[:, channels[clips.integer(0, len(channels) - 1)]] = 0
    return clips.array(x)


def with_options(**options: Any) -> SimpleNamespace:
    """These functions with options fixed, for a feeder that calls them as the original does.

    Args:
        **options: ``faithful``, ``coords`` and ``skeleton``; each goes to the functions that take it.

    Raises:
        TypeError: an option that no function takes.
        ValueError: no such skeleton.

    Example:
        >>> import numpy as np
        >>> tools = with_options(skeleton="kinect20")
        >>> tools.random_spatial_flip(np.ones((3, 50, 20, 1), np.float32)).shape
        (3, 50, 20, 1)
    """
    if "skeleton" in options:
        options["skeleton"] = find_skeleton("aimclr.with_options", options["skeleton"])
    functions = [globals()[name] for name in __all__ if name != "with_options"]
    return clips.fix_options("aimclr.with_options", functions, options)


def _read_and_draw(name: str, data: Any, faithful: bool, p: Any) -> tuple[Tensor, bool]:
    """The clip, and whether it is changed: decided here, for a clip that stays as it is costs next to nothing."""
    x = clips.read(f"aimclr.{name}", data, faithful)
    return x, clips.chance(check.number(f"aimclr.{name}", "p", p, low=0, high=1))
