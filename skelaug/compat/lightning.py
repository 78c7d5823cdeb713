"""Lightning (2.x): augment each training batch on its device, by a mix-in or a callback.

The mix-in is for a LightningModule or a LightningDataModule that you write; there it holds a policy with a learnable
fill too. The callback is for a Trainer whose modules you would rather leave alone.
"""

from __future__ import annotations

from typing import Any, Unpack

from torch import nn

from skelaug.adapters import Options, Policy, refuse_learnable
from skelaug.feed import AugmentBatch
from skelaug.skeleton import Skeleton

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError as error:
        raise ImportError("skelaug.compat.lightning needs Lightning: pip install lightning") from error

__all__ = ["AugmentCallback", "Augmented"]


class Augmented:
    """Mix-in, named before the Lightning class: augments training batches after their transfer to the device.

    Set ``self.augment`` to a :class:`skelaug.AugmentBatch`. Batches of validation, test and prediction are left alone.
    With ``ids``, the epoch of the keys is the trainer's.

    Example:
        .. code-block:: python

            class Model(skelaug.compat.lightning.Augmented, lightning.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.augment = skelaug.AugmentBatch("ctrgcn", "ntu25")
    """

    augment: AugmentBatch
    trainer: Any

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Lightning's hook; goes on with that of the classes after this one."""
        batch = super().on_after_batch_transfer(batch, dataloader_idx)  # type: ignore[misc]
        if not self.trainer.training:
            return batch
        if not isinstance(getattr(self, "augment", None), AugmentBatch):
            raise TypeError(
                f"{type(self).__name__}: set self.augment = skelaug.AugmentBatch(policy, …) in __init__, got "
                f"{getattr(self, 'augment', None)!r}"
            )
        if not isinstance(self, nn.Module):  # a data module is not moved to the device with what it holds
            self.augment.to(self.trainer.strategy.root_device)
        self.augment.set_epoch(self.trainer.current_epoch)
        return self.augment(batch)


class AugmentCallback(Callback):  # type: ignore[misc]
    """Callback: augments training batches on their device, just before ``training_step`` sees them.

    Lightning lets a callback see a batch, not replace it; so the entry with the skeletons is replaced within it. That
    needs a batch that is a list or a dict, which the default collate makes of samples that are tuples or dicts.

    The arguments are those of :class:`skelaug.AugmentBatch`; nothing in the policy may be learnable. With ``ids``, the
    epoch of the keys is the trainer's.

    Raises:
        ValueError: the policy has parameters, which no optimiser would see.
        TypeError: while training, a batch that is neither a list nor a dict.

    Example:
        .. code-block:: python

            trainer = lightning.Trainer(callbacks=[skelaug.compat.lightning.AugmentCallback("ctrgcn", "ntu25")])
    """

    def __init__(self, policy: Policy, skeleton: Skeleton | str | None = None, **options: Unpack[Options]) -> None:
        super().__init__()
        self.augment = AugmentBatch(policy, skeleton, **options)
        mend = "use the mix-in skelaug.compat.lightning.Augmented"
        refuse_learnable("AugmentCallback", self.augment.policy, "no optimiser sees in a callback", mend)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Lightning's hook."""
        if not isinstance(batch, list | dict):
            raise TypeError(
                f"AugmentCallback: the batch is a {type(batch).__name__}, in which a callback can replace nothing; let "
                f"samples be tuples or dicts, or use the mix-in skelaug.compat.lightning.Augmented"
            )
        self.augment.to(pl_module.device).set_epoch(trainer.current_epoch)
        new = self.augment(batch)
        entries: Any = new.items() if isinstance(new, dict) else enumerate(new)
        for key, value in entries:
            batch[key] = value
