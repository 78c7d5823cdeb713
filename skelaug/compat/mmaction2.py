"""mmaction2 (and what else is built on mmengine): skelaug in a pipeline, or on the collated batch on its device.

``custom_imports = dict(imports=["skelaug.compat.mmaction2"])`` in a configuration makes both known by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from skelaug.adapters import Policy
from skelaug.batch import SkeletonBatch
from skelaug.compat._keypoints import KeypointPolicy, Results, Step, observed
from skelaug.skeleton import Skeleton

try:
    from mmcv.transforms import BaseTransform
    from mmengine.model import BaseDataPreprocessor
    from mmengine.registry import MODELS, TRANSFORMS
except ImportError as error:
    raise ImportError("skelaug.compat.mmaction2 needs: pip install mmengine 'mmcv-lite>=2.0,<2.2'") from error

__all__ = ["SkelAug", "SkelAugDataPreprocessor"]


@TRANSFORMS.register_module()  # the root registry: found from mmaction2 and from its siblings
class SkelAug(Step, BaseTransform):  # type: ignore[misc]
    """A step of mmaction2's pipelines: :class:`skelaug.compat.pyskl.SkelAug`, which says what it does, by name.

    Example:
        ``dict(type="SkelAug", policy="hiclr", skeleton="ntu25", view="normal")``, after PreNormalize3D.
    """

    def transform(self, results: Results) -> Results:
        """Augment ``results`` and return it."""
        return super().__call__(results)


@MODELS.register_module()
class SkelAugDataPreprocessor(BaseDataPreprocessor):  # type: ignore[misc]
    """Move a collated batch to the model's device, stack it, make it float32; augment it there while training.

    For ``data_preprocessor`` of a skeleton model, in place of ActionDataPreprocessor, which does the first three. Each
    clip of each sample is augmented with a draw of its own, all at once; draws come from torch's global generator of
    the device. Scores and absent people fare as in :class:`skelaug.compat.pyskl.SkelAug`. Sizes of images are not known
    here, so a ``Mirror`` of pixels belongs into the pipeline. A policy with a learnable fill trains it with the model.

    Args:
        policy: as of SkelAug; here it may borrow from other samples (SkeleAdaIN, BoneLengthTransfer).
        skeleton: as of SkelAug.
        view: as of SkelAug.
        coords: as of SkelAug.
        non_blocking: copy to the device without waiting.

    Raises:
        ValueError: the policy acts on the graph or on labels; inputs that are not ``(clips, M, T, V, C)`` each or of
            unequal shapes.

    Example:
        ``model = dict(type="RecognizerGCN", data_preprocessor=dict(type="SkelAugDataPreprocessor", policy="hiclr",
        skeleton="ntu25"), …)``
    """

    def __init__(
        self,
        policy: Policy,
        skeleton: Skeleton | Mapping[str, Any] | str | None = None,
        view: int | str = -1,
        coords: int | None = None,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        self._view = KeypointPolicy(type(self).__name__, policy, skeleton, view, coords)
        if self._view.relabels:
            raise ValueError(
                "SkelAugDataPreprocessor: Mirror(label_map=…) changes labels; put it into the pipeline, in SkelAug"
            )
        self.policy = self._view.transform  # a submodule: it has a device, and perhaps parameters

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch as it came from the DataLoader.

        Args:
            data: ``inputs``, a list of ``(clips, M, T, V, C)`` or one tensor ``(N, clips, M, T, V, C)``, and whatever
                else, such as ``data_samples``.
            training: augment.

        Returns:
            The same keys; ``inputs`` is float32 ``(N, clips, M, T, V, C)`` on the device.
        """
        if not isinstance(data, dict) or "inputs" not in data:
            raise TypeError(f"SkelAugDataPreprocessor: data must be a dict with 'inputs', got {type(data).__name__}")
        data = self.cast_data(data)
        inputs = self._stack(data["inputs"])
        return {**data, "inputs": self._augment(inputs) if training else inputs}

    def _stack(self, inputs: Tensor | list[Tensor]) -> Tensor:
        clips = list(inputs) if isinstance(inputs, Tensor | list | tuple) else [inputs]
        shapes = sorted({tuple(clip.shape) for clip in clips if isinstance(clip, Tensor)})
        others = sorted({type(clip).__name__ for clip in clips if not isinstance(clip, Tensor)})
        if others or len(shapes) != 1 or len(shapes[0]) != 5:
            raise ValueError(
                f"SkelAugDataPreprocessor: each of the inputs must be (clips, M, T, V, C) = clip, person, frame, "
                f"joint, channel, all of one shape, as FormatGCNInput makes them; got {[*shapes, *others]}"
            )
        return (inputs if isinstance(inputs, Tensor) else torch.stack(clips)).float()

    def _augment(self, inputs: Tensor) -> Tensor:
        x = inputs.flatten(0, 1).permute(0, 4, 2, 3, 1)
        coords = self._view.count_coords(x)
        out = self._view(SkeletonBatch(x, observed(x, coords)), coords)
        whole = out.x.permute(0, 4, 2, 3, 1)
        return whole.reshape(*inputs.shape[:2], *whole.shape[1:]).contiguous()
