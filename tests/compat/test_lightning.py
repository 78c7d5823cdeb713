"""Lightning, for real: training batches are augmented once, on their device, others never; nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import SKELETON, make_x
from torch import Tensor, nn
from torch.utils.data import DataLoader

import skelaug
from skelaug import AugmentBatch, policies
from skelaug import transforms as T

L = pytest.importorskip("lightning.pytorch", reason="needs Lightning: pip install lightning")
hooks = pytest.importorskip("skelaug.compat.lightning")

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "ignore:You defined a `validation_step` but have no",
)

CLIP = make_x(1)[0]


class Model(L.LightningModule):  # type: ignore[misc, name-defined]
    """Notes what each step was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.seen: dict[str, list[Any]] = {"train": [], "val": [], "test": [], "predict": []}

    def note(self, stage: str, batch: Any) -> Tensor:
        self.seen[stage].append(batch)
        x = batch[0]
        x = x[-1] if isinstance(x, list) else x
        return self.layer(x.mean((2, 3, 4))).square().mean()  # type: ignore[no-any-return]

    def training_step(self, batch: Any, index: int) -> Tensor:
        return self.note("train", batch)

    def validation_step(self, batch: Any, index: int) -> None:
        self.note("val", batch)

    def test_step(self, batch: Any, index: int) -> None:
        self.note("test", batch)

    def predict_step(self, batch: Any, index: int) -> Tensor:
        return self.note("predict", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Augmenting(hooks.Augmented, Model):  # type: ignore[misc, name-defined]
    def __init__(self, augment: AugmentBatch) -> None:
        super().__init__()
        self.augment = augment


class Data(L.LightningDataModule):  # type: ignore[misc, name-defined]
    def train_dataloader(self) -> DataLoader[Any]:
        return loader()

    def val_dataloader(self) -> DataLoader[Any]:
        return loader()


class AugmentingData(hooks.Augmented, Data):  # type: ignore[misc, name-defined]
    def __init__(self, augment: AugmentBatch) -> None:
        super().__init__()
        self.augment = augment


def loader(**more: Any) -> DataLoader[Any]:
    return DataLoader([(CLIP.clone(), i % 3, i) for i in range(8)], batch_size=4, **more)


def trainer(*callbacks: Any, epochs: int = 2) -> Any:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )


def keyed(ids: list[int], epoch: int) -> Tensor:
    return T.Shear(0.5)(CLIP.expand(len(ids), -1, -1, -1, -1), keys=skelaug.random.keys(3, epoch, ids))


def check(model: Model) -> None:
    """Training batches hold the keyed draws of their epoch, others the clips; labels and ids stay."""
    assert len(model.seen["train"]) == 4 and len(model.seen["val"]) == 6  # two of the sanity check
    for i, (x, label, ids) in enumerate(model.seen["train"]):
        assert ids.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]][i % 2] and label.tolist() == [j % 3 for j in ids.tolist()]
        torch.testing.assert_close(x, keyed(ids.tolist(), i // 2), rtol=1e-6, atol=1e-6)
    for x, _, _ in model.seen["val"]:
        assert all(clip.equal(CLIP) for clip in x)


def augment() -> AugmentBatch:
    return AugmentBatch(T.Shear(0.5), ids=2, seed=3)


def test_a_module_with_the_mix_in() -> None:
    model = Augmenting(augment())
    run = trainer()
    run.fit(model, loader(), loader())
    check(model)
    run.test(model, loader(), verbose=False)
    run.predict(model, loader())
    for stage in ("test", "predict"):
        assert len(model.seen[stage]) == 2 and all(clip.equal(CLIP) for x, _, _ in model.seen[stage] for clip in x)


@pytest.mark.parametrize("by", ["mix-in", "callback"])
def test_labels_are_mirrored_with_their_clips(by: str) -> None:
    mirror = T.Mirror(SKELETON, label_map={0: 1, 1: 0}, p=1.0)
    if by == "mix-in":
        model: Model = Augmenting(AugmentBatch(mirror, label=1))
        trainer(epochs=1).fit(model, loader(), loader())
    else:
        model = Model()
        trainer(hooks.AugmentCallback(mirror, label=1), epochs=1).fit(model, loader(), loader())
    assert [label.tolist() for _, label, _ in model.seen["train"]] == [[1, 0, 2, 1], [0, 2, 1, 0]]
    assert [label.tolist() for _, label, _ in model.seen["val"][-2:]] == [[0, 1, 2, 0], [1, 2, 0, 1]]


def test_a_data_module_with_the_mix_in() -> None:
    model = Model()
    trainer().fit(model, datamodule=AugmentingData(augment()))
    check(model)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_callback(workers: int) -> None:
    model = Model()
    run = trainer(hooks.AugmentCallback(T.Shear(0.5), ids=2, seed=3))
    run.fit(model, loader(num_workers=workers), loader())
    check(model)


def test_the_callback_changes_no_batch_of_the_users_own() -> None:
    """A data set of ready batches hands the same lists out in every epoch."""
    batches = [[CLIP.expand(2, -1, -1, -1, -1).clone(), torch.zeros(2), torch.arange(2)]]
    model = Model()
    trainer(hooks.AugmentCallback(T.Shear(0.5), ids=2, seed=3)).fit(model, DataLoader(batches, batch_size=None))
    assert batches[0][0][0].equal(CLIP)
    for epoch, (x, _, ids) in enumerate(model.seen["train"]):
        torch.testing.assert_close(x, keyed(ids.tolist(), epoch), rtol=1e-6, atol=1e-6)


def test_views_and_a_token_that_learns() -> None:
    model = Augmenting(AugmentBatch(policies.hiclr(SKELETON, fill="token"), key=0))
    model.layer.weight.data.fill_(1)
    trainer(epochs=1).fit(model, loader())
    assert all(len(views) == 3 for views, _, _ in model.seen["train"])
    assert model.augment.policy.stages[2].members[0].token != 0


def test_without_ids_draws_differ_from_batch_to_batch() -> None:
    model = Model()
    trainer(hooks.AugmentCallback("crossclr", "coco17", key=0))  # by name
    trainer(hooks.AugmentCallback(T.Shear(0.5))).fit(model, loader())
    flat = torch.cat([x.flatten(1) for x, _, _ in model.seen["train"]])
    assert len(flat.unique(dim=0)) == 16


def test_what_cannot_work_is_explained() -> None:
    with pytest.raises(ValueError, match=r"learnable parameter .* use the mix-in"):
        hooks.AugmentCallback(policies.hiclr(SKELETON, fill="token"))
    one = DataLoader(CLIP.expand(4, -1, -1, -1, -1), batch_size=2)
    with pytest.raises(TypeError, match="the batch is a Tensor, in which a callback can replace nothing"):
        trainer(hooks.AugmentCallback(T.Shear(0.5))).fit(Model(), one)
    model = Augmenting(augment())
    del model.augment
    with pytest.raises(TypeError, match=r"Augmenting: set self.augment = skelaug.AugmentBatch"):
        trainer().fit(model, loader())
