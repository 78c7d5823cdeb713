"""PYSKL: skelaug as a step of its pipelines. pyskl itself is not needed to use the class as a callable."""

from __future__ import annotations

import warnings

from skelaug.compat._keypoints import Step

__all__ = ["SkelAug"]


class SkelAug(Step):
    """Augment the keypoints of one clip by a policy: a step after PreNormalize3D, before GenSkeFeat and the sampling.

    Reads and replaces in ``results``, whose arrays are never written to:

    - ``keypoint`` float ``(M, T, V, C)`` = person, frame, joint, channel. The dtype stays; half precision is computed
      in float32.
    - ``keypoint_score`` ``(M, T, V)``, if there is one. A score goes where its joint goes, is interpolated where frames
      are, and becomes 0 where the policy hides the joint (JointMask, DropFrame, PersonDrop …). Nothing else happens to
      it.
    - ``total_frames``, if there is one: follows the number of frames. Frames past it are padding.
    - ``img_shape``, the image's (height, width), is read where there are two coordinates and one of them is beyond 10:
      pixels then, not what PreNormalize2D makes of them. A ``Mirror`` whose ``about`` is left out is then one of the
      image, ``x -> width - x`` as in PYSKL's own Flip (which also leaves an x of exactly 0 alone). Without
      ``img_shape``, or with an ``about`` of its own, it mirrors as it says itself.
    - ``label``: only if the policy holds ``Mirror(label_map=…)``.

    A person whose joints are all 0 in a frame is absent and stays 0, and its scores become 0; a joint whose coordinates
    and score are 0 stays 0 too. Frames past ``total_frames`` hold nobody.
    Draws come from torch's global generator; in a DataLoader's worker from one of the worker's own, which differs per
    worker, rank and epoch and repeats for a seed.

    Args:
        policy: a transform or policy; a dict as :func:`skelaug.config.to_dict` makes it; the path of a ``.yaml`` file
            as :func:`skelaug.config.to_yaml` writes it; or the name of a preset, which needs ``skeleton``.
        skeleton: of the data: a Skeleton, its name or its ``to_dict``. Beside a preset's, its number of joints is
            checked.
        view: which view of a growing policy, by index or name; the last holds all stages.
        coords: number of leading channels of ``keypoint`` that are coordinates; the rest are scores. ``None``: all
            channels, 2 or 3 of them. Write 2 for (x, y, score).

    Raises:
        ValueError: the policy acts on the graph, borrows from other samples, or learns, all of which a pipeline cannot
            offer; or the arrays do not fit.
        TypeError: no policy, or arrays that are not floating point.

    Example:
        >>> import numpy as np
        >>> step = SkelAug("hiclr", "ntu25", view="normal")
        >>> results = {"keypoint": np.random.rand(2, 80, 25, 3), "total_frames": 80}
        >>> step(results)["keypoint"].shape
        (2, 80, 25, 3)
    """


try:
    from pyskl.datasets.builder import PIPELINES
except (ImportError, AssertionError) as error:  # the latter for a version of mmcv that pyskl does not take
    if getattr(error, "name", None) != "pyskl":
        warnings.warn(
            f"pyskl is there but cannot be imported ({error}): SkelAug works as a callable, not by name", stacklevel=2
        )
else:
    PIPELINES.register_module(module=SkelAug)
