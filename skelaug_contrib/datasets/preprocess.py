"""What precedes a network: put the body at the origin, bring clips to one length, choose the stream."""

from __future__ import annotations

from skelaug import check
from skelaug.policy import Compose
from skelaug.skeleton import Skeleton
from skelaug.transform import Transform
from skelaug.transforms import Bone, BoneMotion, Center, CropResize, Motion

__all__ = ["preparation"]


def preparation(skeleton: Skeleton, frames: int | None, center: str = "clip", stream: str = "joint") -> Compose:
    """The transform from clips as they were recorded to what a network sees, on the batch's device.

    Its result is fixed: whatever is drawn changes nothing. Give it keys to keep it off the global generator, from which
    dropout draws.

    Args:
        skeleton: of the data.
        frames: T of the result: each clip's frames from the first to the last in which anybody is there, resized by
            linear interpolation. None keeps the data's T and padding.
        center: ``"clip"``: the centre joint of the clip's first frame goes to the origin, so paths stay. ``"frame"``:
            each person's own, in every frame (HiCLR's preparation of NTU RGB+D). ``"none"``: coordinates stay.
        stream: ``"joint"``, ``"bone"``, ``"motion"`` or ``"bone_motion"``. For pretraining this is ``"joint"``: there
            the policy changes the stream, after its augmentation of the joints.

    Who is absent stays zero and absent.

    Raises:
        TypeError: no skeleton.
        ValueError: another argument is off.

    Source: HiCLR's preparation (centred, the valid frames resized to 50).

    Example:
        >>> import skelaug, torch
        >>> prepare = preparation(skelaug.skeletons["ntu25"], 50)
        >>> prepare(skelaug.SkeletonBatch(torch.randn(8, 3, 300, 25, 2))).x.shape
        torch.Size([8, 3, 50, 25, 2])
    """
    check.skeleton("preparation", skeleton)
    check.choice("preparation", "center", center, ("clip", "frame", "none"))
    check.choice("preparation", "stream", stream, ("joint", "bone", "motion", "bone_motion"))
    members: list[Transform] = []
    if center != "none":
        members.append(Center(skeleton, per=center))
    if frames is not None:
        members.append(CropResize((1.0, 1.0), length=check.count("preparation", "frames", frames)))
    match stream:
        case "bone":
            members.append(Bone(skeleton))
        case "motion":
            members.append(Motion())
        case "bone_motion":
            members.append(BoneMotion(skeleton))
    return Compose(members)
