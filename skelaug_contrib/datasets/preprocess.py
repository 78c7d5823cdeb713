"""What precedes a network: body at the origin, clips of one length, bodies that face one way, of one size; stream."""

from __future__ import annotations

from typing import Any

from skelaug import check
from skelaug.coordinates import with_coords
from skelaug.policy import Compose
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform
from skelaug.transforms import Align, Bone, BoneMotion, Center, CropResize, Motion, Normalize

__all__ = ["preparation"]


_ALIGN: dict[str, dict[str, Any]] = {
    "frame": {"by": "shoulders", "per": "frame"},
    "clip": {"by": "shoulders", "per": "clip"},
    "spine": {"by": "spine", "per": "clip"},
    "released": {"by": "shoulders", "per": "frame", "released": True},
}


def preparation(
    skeleton: Skeleton | str,
    frames: int | None,
    center: str = "clip",
    stream: str = "joint",
    align: str | None = None,
    size: float | None = None,
    coords: Any = None,
) -> Compose:
    """The transform from clips as they were recorded to what a network sees, on the batch's device.

    Its result is fixed: whatever is drawn changes nothing. Give it keys to keep it off the global generator, from which
    dropout draws.

    Args:
        skeleton: of the data, or its name.
        frames: T of the result: each clip's frames from the first to the last in which anybody is there, resized by
            linear interpolation. None keeps the data's T and padding.
        center: ``"clip"``: the centre joint of the clip's first frame goes to the origin, so paths stay. ``"frame"``:
            each person's own, in every frame (HiCLR's preparation of NTU RGB+D). ``"none"``: coordinates stay.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``. For pretraining this is ``"joint"``: there
            the policy changes the stream, after its augmentation of the joints.
        align: ``"frame"``: each person turned about the skeleton's vertical axis in every frame, so that the shoulders
            lie along x (HiCLR's preparation). ``"clip"``: one such turn for the clip, by its first frame. ``"spine"``:
            one turn, so that in the first frame the spine points along z and the shoulders lie along x (PYSKL's).
            ``"released"``: as ``"frame"``, resized and turned as HiCLR's released code does it, see
            :class:`~skelaug.transforms.Align` and :class:`~skelaug.transforms.CropResize`. None leaves bodies as they
            stand.
        size: scale each clip so that its bodies have this size, see :class:`~skelaug.transforms.Normalize`.

        coords: channels that are coordinates, a number of leading ones or indices; None: all. A score is interpolated
            with the frames and else left alone; of a stream it is the lower of the two that it stands for.

    The order is that of the reference: centre, resize, align, scale, change the stream.

    Who is absent stays zero and absent.

    Raises:
        TypeError: no skeleton.
        ValueError: another argument is off.

    Source: HiCLR's preparation (centred, the valid frames resized to 50, shoulders parallel).

    Example:
        >>> import skelaug, torch
        >>> prepare = preparation(skelaug.skeletons["ntu25"], 50)
        >>> prepare(skelaug.SkeletonBatch(torch.randn(8, 3, 300, 25, 2))).x.shape
        torch.Size([8, 3, 50, 25, 2])
    """
    skeleton = check.skeleton("preparation", skeleton)
    check.choice("preparation", "center", center, ("clip", "frame", "none"))
    check.choice("preparation", "stream", stream, ("joint", "bone", "motion", "bone_motion"))
    check.choice("preparation", "align", align, (None, *_ALIGN))
    members: list[Transform] = []
    if center != "none":
        members.append(Center(skeleton, per=center))
    if frames is not None:
        check.count("preparation", "frames", frames)
        members.append(CropResize((1.0, 1.0), length=frames, align_corners=align != "released"))
    if align is not None:
        members.append(Align(skeleton, **_ALIGN[align]))
    if size is not None:
        members.append(Normalize(size))
    match stream:
        case "bone":
            members.append(Bone(skeleton))
        case "motion":
            members.append(Motion())
        case "bone_motion":
            members.append(BoneMotion(skeleton))
    return with_coords(Compose(members), coords, "preparation")
