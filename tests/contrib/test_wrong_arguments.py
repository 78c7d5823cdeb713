"""Wrong arguments to every public callable of skelaug_contrib outside its data sets: each ends in our own clear error.

A case is a callable, an argument and a wrong value for it; all other arguments are right. The error must be a
ValueError or a TypeError whose message starts with the callable's name and names the argument. What is documented to
work stands below the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import SKELETON
from runs import prepared
from torch import Tensor, nn

import skelaug
from skelaug import SkeletonBatch
from skelaug_contrib import FeatureQueue, HiCLR, MomentumEncoder, distributed, encoders, evaluate, losses
from skelaug_contrib.config import DataConfig, EncoderConfig, MethodConfig, OptimizerConfig, PretrainConfig
from skelaug_contrib.datasets import PreparedDataset, preparation
from skelaug_contrib.encoders import DSTA, STGCN
from skelaug_contrib.evaluate import LINEAR, Classifier, Coordinates, Schedule

NAN = math.nan
V = len(SKELETON)
TEXT_AND_NONE: list[Any] = [None, "text"]
COUNT: list[Any] = [None, "3", 2.5, NAN, math.inf, -1, 0, True, [], torch.tensor(3)]
FROM_ZERO: list[Any] = [value for value in COUNT if value != 0 or isinstance(value, bool)]
SHARE: list[Any] = [None, "0.5", NAN, math.inf, -0.1, 1.1, True, [], torch.tensor(0.5)]
POSITIVE: list[Any] = [None, "0.5", NAN, math.inf, -0.1, 0.0, True, [], torch.tensor(0.5)]
CHOICE: list[Any] = [None, "text", 3, NAN, True, [], torch.tensor(0)]
MODULE: list[Any] = [None, "text", 3, NAN, [], torch.tensor(0.5), lambda x: x]


def tensors(right: Tensor, *more: Any) -> list[Any]:
    """Wrong in type, rank, kind and device."""
    kinds = [right.bool(), right.to(torch.complex64), right.long() if right.is_floating_point() else right.float()]
    kinds = [kind for kind in kinds if kind.dtype != right.dtype]
    return [None, "text", 3, NAN, [1.0], right.numpy(), right[None], right[0], *kinds, right.to("meta"), *more]


@dataclass(frozen=True)
class Row:
    """A callable, right arguments for it, and wrong values by argument."""

    who: str
    call: Callable[..., Any]
    right: dict[str, Any]
    wrong: dict[str, list[Any]]
    names: dict[str, str] = field(default_factory=dict)  # what the message calls an argument, where it is another name

    def cases(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, values in self.wrong.items() for value in values)


def unit(*shape: int) -> Tensor:
    return nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def loss_rows() -> Iterator[Row]:
    query, queue = unit(4, 8), unit(16, 8)
    right = {"queries": [query, query], "key": query, "queue": queue}
    views: list[Any] = [None, "text", 3, NAN, [], query, [query[0], query], [query, query[:3]], [query, query[:, :4]]]
    views += [[query, None], [query, query.long()], [query, query.to("meta")], [query[:0], query[:0]], {"a": query}]
    positives = torch.zeros(4, 2, dtype=torch.int64)
    wrong_positives = [
        value for value in tensors(positives, positives - 1, positives + 16, positives[:3]) if value is not None
    ]
    settings = {"temperature": POSITIVE, "positives": wrong_positives}
    tensor = {"key": tensors(query, query[:3], query[:, :4]), "queue": tensors(queue, queue[:, :4])}
    chained = {"targets": CHOICE, "direction": CHOICE}
    for form in (losses.hiclr_loss, losses.hierarchical_losses, losses.textbook_losses):
        yield Row(form.__name__, form, right, {"queries": views, **tensor, **settings, **chained})
    one = {"query": query, "key": query, "queue": queue}
    yield Row(
        "info_nce",
        losses.info_nce,
        one,
        {
        "query": tensors(query, query[:0]), **tensor, **settings,
    }, {"query": "query|key"})  # fmt: skip
    yield Row(
        "nearest", losses.nearest, {"queries": [query], "queue": queue}, {"queries": views, "queue": tensor["queue"]}
    )


def model_rows() -> Iterator[Row]:
    stgcn, x = STGCN(SKELETON, widths=(8, 8)), torch.randn(2, 3, 8, V, 2)
    policy = skelaug.policies.hiclr(SKELETON)
    right = {"encoder": stgcn, "policy": policy, "dim": 8, "queue_size": 16}
    yield Row("HiCLR", HiCLR, right, {
        "encoder": [*MODULE, nn.Linear(2, 2)], "policy": ["hiclr", *MODULE, skelaug.transforms.Shear(0.5), stgcn],
        "method": CHOICE, "dim": COUNT, "queue_size": FROM_ZERO, "momentum": SHARE, "temperature": POSITIVE,
        "direction": CHOICE,
    })  # fmt: skip
    slots, keys = torch.arange(4), torch.arange(2)
    shapes = [x[..., 0], x.long(), x.bool(), None, "text", 3, NAN, [1.0], x.numpy()]
    sizes = [x[:, :2], x[:, :, :0], x[:, :, :, :-1], x.to("meta")]
    given = {"people": [v for v in tensors(slots, slots + 4, slots - 1) if v is not None]}
    hiclr = HiCLR(**right)  # type: ignore[arg-type]
    yield Row("HiCLR", hiclr, {"batch": x, "people": slots, "keys": keys}, {
        "batch": shapes, "keys": [*tensors(keys)[1:-1], keys[:1]],
        "people": tensors(slots)[1:-1], "generator": ["text", 3, NAN, []],
    })  # fmt: skip
    for name, encoder in (("STGCN", stgcn), ("DSTA", DSTA(SKELETON, blocks=[(8, 8, 4, 1)]))):
        yield Row(name, encoder, {"x": x, "people": slots}, {"x": shapes + sizes, "people": given["people"][:-2]})
        yield Row("people", encoder, {"x": x, "people": slots}, {"people": given["people"][-2:]})
    options = {"channels": COUNT, "kernel": [*COUNT, 4], "dropout": SHARE, "persons": CHOICE, "skeleton": MODULE}
    lists: list[Any] = ["text", 3, NAN, [], [0], [-1], [2.5], ["8"], [NAN], [None], torch.ones(2)]
    yield Row("STGCN", STGCN, {"skeleton": SKELETON, "widths": (8, 8)}, {
        **options, "widths": [None, *lists], "strides": [*lists, [1]],
    })  # fmt: skip
    blocks = [None, *lists, [(8, 8, 4)], [(8, 8, 4, 0)], [(8, 8, 4, 1), (16, 8, 4, 1)], ["8841"]]
    yield Row("DSTA", DSTA, {"skeleton": SKELETON}, {**options, "heads": COUNT, "blocks": blocks})
    yield Row("build", encoders.build, {"name": "stgcn", "skeleton": SKELETON}, {"name": CHOICE, "size": [1]})
    mask = torch.ones(2, 8, V, 2, dtype=torch.bool)
    yield Row("people", encoders.people, {"mask": mask}, {"mask": tensors(mask)[:-1]})
    yield Row("sync_batch_norm", encoders.sync_batch_norm, {}, {"module": MODULE})
    yield Row("FeatureQueue", FeatureQueue, {"size": 4, "dim": 2}, {"size": FROM_ZERO, "dim": COUNT, "seed": FROM_ZERO})
    features = unit(3, 2)
    yield Row("FeatureQueue.update", FeatureQueue(4, 2).update, {}, {"keys": tensors(features, unit(3, 5))})
    yield Row("MomentumEncoder", MomentumEncoder, {"encoder": stgcn}, {"encoder": MODULE, "momentum": SHARE})
    twin = MomentumEncoder(nn.Linear(2, 2))
    yield Row("MomentumEncoder.update", twin.update, {}, {"encoder": [*MODULE, nn.Linear(2, 3), nn.Identity()]})
    yield Row("gather", distributed.gather, {}, {"x": [None, "text", 3, NAN, []]})


def evaluation_rows(dataset: PreparedDataset) -> Iterator[Row]:
    x, y, clips = unit(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]), [0, 1, 2]
    features = tensors(x, x.clone().fill_(NAN), x.clone().fill_(math.inf), x[:0])
    bad_labels = [*tensors(y)[:-1], y[:5], y - 1]
    narrow = [*features[:-1], x[:, :3]]
    wrong_knn = {
        "train_features": features[:-1],
        "train_labels": bad_labels,
        "features": narrow,
        "k": COUNT,
        "temperature": POSITIVE,
    }
    yield Row("knn", evaluate.knn, {"train_features": x, "train_labels": y, "features": x}, wrong_knn)
    schedule = LINEAR["stgcn"].lasting(1)
    pairs = ["text", 3, NAN, [], x, (x,), (x, y[:3]), (x[:, :3], y), (x, None), (None, y), (x, y + 9)]
    yield Row("linear_probe", evaluate.linear_probe, {"features": x, "labels": y, "schedule": schedule}, {
        "features": features[:-1], "labels": bad_labels, "classes": [v for v in COUNT if v is not None] + [2],
        "validation": pairs, "schedule": MODULE, "seed": FROM_ZERO,
    }, {"classes": "labels|classes"})  # fmt: skip
    wrong_ridge = {"train_x": features[:-1], "train_y": bad_labels, "x": narrow, "strength": POSITIVE}
    yield Row("ridge", evaluate.ridge, {"train_x": x, "train_y": y, "x": x}, wrong_ridge)
    yield Row("accuracy", evaluate.accuracy, {"predictions": y, "labels": y}, {
        "predictions": [*tensors(y)[:-1], y[:0]], "labels": tensors(y, y[:5])[:-2],
    }, {"predictions": "predictions|labels"})  # fmt: skip
    yield Row("confusion", evaluate.confusion, {"predictions": y, "labels": y, "classes": 3}, {
        "predictions": [*tensors(y)[:-1], y + 1, y - 1], "labels": [*tensors(y)[:-1], y + 1, y - 1],
        "classes": [*COUNT, 2],
    }, {"predictions": "predictions|labels"})  # fmt: skip
    counts = torch.ones(3, 3, dtype=torch.int64)
    yield Row(
        "class_accuracy",
        evaluate.class_accuracy,
        {},
        {"confusion": [*tensors(counts)[:-1], counts[:2], -counts, 0 * counts]},
    )
    logits = [x, x]
    bad_logits: list[Any] = [
        None,
        "text",
        3,
        NAN,
        [],
        x,
        [x, x[:3]],
        [x, None],
        [x, x.long()],
        [x, x.to("meta")],
        [x[0]],
    ]
    bad_weights: list[Any] = [None, "text", 3, NAN, [], [1.0], [1.0, NAN], [1.0, None], [1.0, "1"], torch.ones(2)]
    yield Row(
        "combine",
        evaluate.combine,
        {"logits": logits, "weights": [1.0, 1.0]},
        {"logits": bad_logits, "weights": bad_weights},
    )
    yield Row("choose_weights", evaluate.choose_weights, {"logits": logits, "labels": y}, {
        "logits": [*bad_logits, [x.clone().fill_(NAN)]], "labels": [*bad_labels, y + 9],
    })  # fmt: skip
    milestones: list[Any] = [None, "text", 3, NAN, [-1], [2.5], ["3"], torch.ones(2)]
    not_bool: list[Any] = [None, "text", 3, NAN]
    yield Row("Schedule", Schedule, {"epochs": 3, "lr": 0.1}, {
        "epochs": COUNT, "lr": [v for v in POSITIVE if v != 0.0 or isinstance(v, bool)], "milestones": milestones,
        "batch": COUNT, "warmup": FROM_ZERO, "weight_decay": [None, "1", NAN, -0.1], "nesterov": not_bool,
    })  # fmt: skip
    yield Row("Schedule.lasting", schedule.lasting, {}, {"epochs": COUNT})
    encoder = Coordinates()
    yield Row("Classifier", Classifier, {"encoder": encoder, "classes": 3, "width": 5}, {
        "encoder": MODULE, "classes": COUNT, "width": COUNT,
    })  # fmt: skip
    yield Row("Coordinates", Coordinates, {}, {"skeleton": [v for v in MODULE if v is not None]})
    yield Row("Coordinates", encoder, {}, {"batch": tensors(torch.randn(2, 3, 4, V, 1))[:-1]})
    prepare = preparation(dataset.skeleton, frames=4)
    indices: list[Any] = [None, "text", 3, NAN, [], [-1], [len(dataset)], [0.5], ["a"], torch.zeros(2, 2)]
    where = {"dataset": [*MODULE, x], "prepare": MODULE, "encoder": MODULE}
    yield Row("embed", evaluate.embed, {"encoder": encoder, "dataset": dataset, "indices": clips, "prepare": prepare}, {
        **where, "indices": indices, "batch": COUNT,
    })  # fmt: skip
    stgcn = STGCN(dataset.skeleton, widths=(8,))
    right = {"encoder": stgcn, "dataset": dataset, "train": clips, "prepare": prepare, "classes": 99}
    yield Row("finetune", evaluate.finetune, right, {
        **where, "train": indices, "classes": [v for v in COUNT if v is not None], "schedule": MODULE,
        "seed": FROM_ZERO, "dropout": [v for v in SHARE if v is not None],
    })  # fmt: skip
    yield Row("labelled", evaluate.labelled, {"labels": y, "indices": clips, "share": 0.5}, {
        "labels": [None, "text", 3, NAN, [-1, 0, 1, 1], [0.5] * 4, torch.zeros(2, 2)], "share": [*POSITIVE, 1.1],
        "indices": [None, "text", 3, NAN, [-1], [6], [0.5], torch.zeros(2, 2)], "seed": FROM_ZERO,
    })  # fmt: skip


def config_rows() -> Iterator[Row]:
    optional_count = [v for v in COUNT if v is not None]
    yield Row("data", DataConfig, {"path": "data"}, {
        "path": [None, 3, NAN, []], "protocol": [None, 3], "frames": optional_count, "center": CHOICE, "stream": CHOICE,
        "align": [v for v in CHOICE if v is not None], "size": [v for v in POSITIVE if v is not None],
        "validation_subjects": FROM_ZERO, "workers": FROM_ZERO,
    })  # fmt: skip
    lists: list[Any] = ["text", 3, NAN, [0], [-1], [2.5], ["8"], [None]]
    yield Row("encoder", EncoderConfig, {}, {
        "name": CHOICE, "widths": lists, "strides": lists, "kernel": optional_count, "dropout": SHARE,
        "persons": CHOICE,
    })  # fmt: skip
    yield Row("method", MethodConfig, {}, {
        "method": CHOICE, "views": [0, 4, "2", NAN, True], "strong": CHOICE, "released": [None, "yes", 1],
        "ratio": SHARE,
        "fill": [None, "text", NAN, []], "direction": CHOICE, "dim": COUNT, "queue": COUNT, "temperature": POSITIVE,
        "momentum": SHARE, "mine_from": [v for v in FROM_ZERO if v is not None],
    })  # fmt: skip
    at_least_0 = [None, "1", NAN, math.inf, -0.1, True]
    yield Row("optimizer", OptimizerConfig, {}, {
        "lr": at_least_0, "momentum": SHARE, "weight_decay": at_least_0, "milestones": [None, *lists[:3], [-1], [0.5]],
        "gamma": at_least_0, "schedule": CHOICE, "warmup_steps": FROM_ZERO, "nesterov": [None, "yes", 1],
    })  # fmt: skip
    data = DataConfig("data")
    counts = dict.fromkeys(("epochs", "batch", "devices", "nodes", "checkpoint_every", "log_every"), COUNT)
    yield Row("pretrain", PretrainConfig, {"data": data}, {
        **counts, "max_steps": optional_count, "knn_every": optional_count, "seed": FROM_ZERO, "precision": CHOICE,
        "accelerator": CHOICE, "data": [None, "data", {}], "encoder": [None, "stgcn", data], "method": [None, "hiclr"],
        "optimizer": [None, "sgd"],
    })  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return PreparedDataset.open(prepared(tmp_path_factory.mktemp("data") / "set"))


def tried(rows: Iterator[Row]) -> tuple[int, list[str]]:
    """How many cases there were, and those that did not end in an error of ours."""
    count, failures = 0, []
    for row in rows:
        for name, value in row.cases():
            count += 1
            shown = f"{tuple(value.shape)} {value.dtype} {value.device}" if isinstance(value, Tensor) else repr(value)
            case = f"{row.who}({name}={shown[:60]})"
            try:
                row.call(**row.right | {name: value})
            except (ValueError, TypeError) as error:
                message, names = str(error), row.names.get(name, name).split("|")
                if not message.startswith(row.who) or not any(each in message for each in names):
                    failures.append(f"{case}: {type(error).__name__}: {message[:150]}")
            except Exception as error:
                failures.append(f"{case}: {type(error).__name__}: {str(error)[:150]}")
            else:
                failures.append(f"{case}: no error")
    return count, failures


@pytest.mark.parametrize(("part", "least"), [("losses", 200), ("models", 250), ("evaluation", 300), ("settings", 200)])
def test_every_wrong_argument_is_explained(
    part: str, least: int, dataset: PreparedDataset, record_property: Callable[[str, object], None]
) -> None:
    rows = {"losses": loss_rows, "models": model_rows, "settings": config_rows}
    count, failures = tried(evaluation_rows(dataset) if part == "evaluation" else rows[part]())
    print(f"{part}: {count} wrong arguments tried, {len(failures)} without an error of ours")
    record_property("wrong_arguments_tried", count)
    assert not failures, "\n".join(failures)
    assert count >= least


# --- what is documented to work --------------------------------------------------------------------------------------


def test_nan_in_a_loss_is_nan() -> None:
    query, queue = unit(4, 8), unit(16, 8)
    for form in (losses.hierarchical_losses, losses.textbook_losses):
        assert form([query * NAN, query], query, queue)[0].isnan()
        assert form([query, query], query, queue * NAN)[0].isnan()


def test_nan_does_no_harm() -> None:
    torch.manual_seed(0)
    hiclr = HiCLR(STGCN(SKELETON, widths=(8, 8)), skelaug.policies.hiclr(SKELETON), dim=8, queue_size=16)
    x = torch.randn(4, 3, 8, V, 2)
    x[0, :, 2, 3] = NAN
    assert hiclr(SkeletonBatch(x, mask=x.isfinite().all(1)))["loss"].isfinite()
    assert hiclr(x)["loss"].isfinite()
    assert all(value.isfinite().all() for value in hiclr.state_dict().values())


def test_what_is_empty_gives_what_is_empty() -> None:
    queue = FeatureQueue(4, 2)
    before = queue.features.clone()
    queue.update(torch.zeros(0, 2))
    assert torch.equal(queue.features, before)
    assert evaluate.knn(unit(3, 2), torch.tensor([0, 1, 1]), torch.zeros(0, 2)).shape == (0,)
    assert losses.nearest([unit(4, 8)], torch.zeros(0, 8)).shape == (4, 0)
    assert losses.info_nce(unit(4, 8), unit(4, 8), torch.zeros(0, 8)) == 0


def test_a_plain_tensor_goes_through_a_policy_of_graphs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = STGCN(SKELETON, widths=(8, 8))
    policy = skelaug.policies.hiclr(SKELETON, "edges", graph=encoder.graph, layers=encoder.layers)
    hiclr = HiCLR(encoder, policy, dim=8, queue_size=16).eval()
    x, keys = torch.randn(4, 3, 8, V, 2), torch.arange(4)
    assert torch.equal(hiclr(x, keys=keys)["loss"], hiclr(SkeletonBatch(x), keys=keys)["loss"])
