"""Evaluation: against brute force, SciPy and hand-made data, and no choice ever looks at the test set."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial.distance
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import skelaug
from skelaug import SkeletonBatch, plot
from skelaug_contrib import evaluate
from skelaug_contrib.datasets import PreparedDataset, convert, preparation, split, write
from skelaug_contrib.encoders import STGCN
from skelaug_contrib.evaluate import (
    FINETUNE,
    LINEAR,
    SEMI,
    Coordinates,
    Schedule,
    accuracy,
    choose_weights,
    class_accuracy,
    combine,
    confusion,
    embed,
    finetune,
    knn,
    labelled,
    linear_probe,
    pictures,
    ridge,
)

SKELETON = skelaug.skeletons["kinect20"]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randint(high: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


# ---- scores ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 60), st.integers(0, 10**6))
def test_scores_count_what_a_loop_counts(classes: int, samples: int, seed: int) -> None:
    predicted, true = randint(classes, samples, seed=seed), randint(classes, samples, seed=seed + 1)
    pairs = list(zip(true.tolist(), predicted.tolist(), strict=True))
    expected = [[pairs.count((t, p)) for p in range(classes)] for t in range(classes)]
    assert confusion(predicted, true, classes).tolist() == expected
    assert accuracy(predicted, true) == pytest.approx(sum(t == p for t, p in pairs) / samples)
    recalls = [expected[c][c] / sum(expected[c]) for c in range(classes) if sum(expected[c])]
    assert class_accuracy(confusion(predicted, true, classes)) == pytest.approx(sum(recalls) / len(recalls))


def test_scores_refuse_what_they_cannot_count() -> None:
    with pytest.raises(ValueError, match=r"0 … 1, got 0 … 2"):
        confusion(torch.tensor([0, 2]), torch.tensor([0, 1]), classes=2)
    two, three = torch.zeros(2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"labels must be an int64 tensor \(3,\), got int64 \(2,\)"):
        accuracy(three, two)
    with pytest.raises(ValueError, match="at least one sample"):
        accuracy(three[:0], three[:0])
    with pytest.raises(ValueError, match="all 0"):
        class_accuracy(torch.zeros(3, 3, dtype=torch.int64))


# ---- k nearest neighbours --------------------------------------------------------------------------------------------


@given(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 50), st.sampled_from([0.01, 0.1, 1.0]), st.integers(0, 10**6)
)
def test_knn_is_the_vote_of_scipys_neighbours(samples: int, queries: int, k: int, t: float, seed: int) -> None:
    train, x, y = randn(samples, 5, seed=seed), randn(queries, 5, seed=seed + 1), randint(4, samples, seed=seed + 2)
    distance = scipy.spatial.distance.cdist(x.double().numpy(), train.double().numpy(), "cosine")
    for found, row in zip(knn(train, y, x, k, t).tolist(), distance, strict=True):
        votes = [0.0] * 4
        for neighbour in np.argsort(row)[:k]:
            votes[int(y[neighbour])] += math.exp((1 - row[neighbour]) / t)
        assert votes[found] == pytest.approx(max(votes), rel=1e-3)


def test_knn_in_chunks_equals_one_by_one_and_scale_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    train, x, y = randn(30, 4), randn(11, 4, seed=1), randint(3, 30, seed=2)
    whole = knn(train, y, x, 5)
    monkeypatch.setattr(sys.modules[knn.__module__], "_CHUNK", 3)
    assert torch.equal(knn(train, y, x, 5), whole)
    assert torch.equal(knn(train * 7, y, x * randn(11, 1, seed=3).abs() * 1e3, 5), whole)
    assert torch.equal(knn(train, y, train, k=1), y)
    assert knn(train, y, x[:0]).shape == (0,)
    assert torch.equal(knn(train, y, x, 5, temperature=1e-5), knn(train, y, x, 1)), "a tiny temperature overflows"


def test_knn_refuses_bad_input() -> None:
    train, y = randn(5, 3), torch.arange(5)
    for call, message in [
        (lambda: knn(train, y, randn(2, 4)), r"tensor \(S, 3\) on cpu, got float32 \(2, 4\)"),
        (lambda: knn(train, y[:4], train), r"int64 tensor \(5,\)"),
        (lambda: knn(train, y - 1, train), "got -1 … 3"),
        (lambda: knn(train, y, train / 0), "NaN or infinity"),
        (lambda: knn(train, y, train, k=0), "whole number ≥ 1"),
        (lambda: knn(train, y, train, temperature=0), "temperature must be a number"),
        (lambda: knn(train[:0], y[:0], train), "at least one"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


# ---- schedules -------------------------------------------------------------------------------------------------------


def test_the_papers_schedules() -> None:
    assert [LINEAR["stgcn"].rate(e) for e in (0, 79, 80, 99)] == pytest.approx([3, 3, 0.3, 0.3])
    assert [LINEAR["dsta"].rate(e) for e in (0, 30, 80)] == pytest.approx([3, 0.3, 0.03])
    assert [FINETUNE["stgcn"].rate(e) for e in (0, 3, 4, 5, 29, 30, 55)] == pytest.approx(
        [0.02, 0.08, 0.1, 0.1, 0.1, 0.01, 0.001]
    )
    assert (SEMI["stgcn"].epochs, SEMI["stgcn"].milestones, SEMI["dsta"].epochs) == (42, (15, 30), 50)
    short = FINETUNE["stgcn"].lasting(7)
    assert (short.epochs, short.milestones, short.warmup) == (7, (3, 6), 0)
    optimizer = FINETUNE["stgcn"].optimizer([torch.zeros(1, requires_grad=True)]).defaults
    assert (optimizer["momentum"], optimizer["nesterov"], optimizer["weight_decay"]) == (0.9, True, 1e-4)
    assert LINEAR["stgcn"].optimizer([torch.zeros(1, requires_grad=True)]).defaults["weight_decay"] == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"epochs": 0}, "epochs"), ({"lr": -1}, "lr"), ({"batch": 1.5}, "batch"), ({"milestones": (-1,)}, "milestones")],
)
def test_schedules_refuse_nonsense(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**{"epochs": 3, "lr": 0.1} | wrong)  # type: ignore[arg-type]


# ---- linear probe and ridge ------------------------------------------------------------------------------------------


def blobs(samples: int, classes: int = 3, width: int = 8, spread: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    y = torch.arange(samples) % classes
    return torch.eye(width)[y] + spread * randn(samples, width, seed=seed), y


def test_linear_probe_separates_what_can_be_separated_and_repeats() -> None:
    (x, y), (test, truth) = blobs(90, spread=0.15), blobs(60, spread=0.15, seed=1)
    schedule = LINEAR["stgcn"].lasting(20)
    fit = linear_probe(x, y, schedule=schedule, seed=3)
    assert accuracy(fit.model(test).argmax(1), truth) == 1
    assert (fit.epoch, fit.validation) == (20, None)
    state = torch.get_rng_state()
    again = linear_probe(x, y, schedule=schedule, seed=3)
    assert torch.equal(again.model.weight, fit.model.weight) and torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(linear_probe(x, y, schedule=schedule, seed=4).model.weight, fit.model.weight)


def test_linear_probe_converges_to_the_optimum_of_logistic_regression() -> None:
    """On overlapping classes the minimum is unique up to a common shift: SciPy finds the same loss."""
    x, y = blobs(60, spread=1.5)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = torch.tensor(flat).view(3, 9).requires_grad_()
        value = torch.nn.functional.cross_entropy(x.double() @ w[:, :8].T + w[:, 8], y)
        value.backward()
        return value.item(), w.grad.numpy().ravel()  # type: ignore[union-attr]

    best = scipy.optimize.minimize(loss, np.zeros(27), jac=True, method="BFGS").fun
    fit = linear_probe(x, y, schedule=Schedule(epochs=300, lr=0.3, milestones=(250,), batch=60))
    ours = torch.nn.functional.cross_entropy(fit.model(x), y).item()
    assert best == pytest.approx(ours, abs=2e-3)


def test_linear_probe_takes_the_epoch_that_is_best_on_validation() -> None:
    """The validation score of every epoch, followed by hand: training for e epochs gives epoch e's weights."""
    x, y = blobs(60, spread=0.8)
    held = blobs(45, spread=0.8, seed=5)
    long = Schedule(epochs=12, lr=0.05, batch=16)
    scores = [
        accuracy(linear_probe(x, y, schedule=replace(long, epochs=e)).model(held[0]).argmax(1), held[1])
        for e in range(1, 13)
    ]
    fit = linear_probe(x, y, schedule=long, validation=held)
    assert len(set(scores)) > 1, "the case tests nothing"
    assert fit.validation == max(scores)
    assert fit.epoch == max(e for e in range(1, 13) if scores[e - 1] == max(scores))
    short = linear_probe(x, y, schedule=replace(long, epochs=fit.epoch))
    assert torch.equal(fit.model.weight, short.model.weight)


def test_standardizing_is_folded_into_the_classifier() -> None:
    """Trained on x or on any scaling and shift of it: the same logits; and those of training on z-scores by hand."""
    (x, y), held = blobs(60, spread=0.8), blobs(30, spread=0.8, seed=5)
    schedule = Schedule(epochs=10, lr=0.05, batch=16)
    fit = linear_probe(x, y, validation=held, schedule=schedule, standardize=True)
    mean, deviation = x.mean(0), x.std(0, correction=0)
    by_hand = linear_probe(
        (x - mean) / deviation, y, validation=((held[0] - mean) / deviation, held[1]), schedule=schedule
    )
    assert fit[1:] == by_hand[1:]
    torch.testing.assert_close(fit.model(held[0]), by_hand.model((held[0] - mean) / deviation), atol=1e-4, rtol=1e-4)
    stretch, shift = torch.logspace(-3, 1, 8), torch.linspace(-1, 1, 8)
    other = linear_probe(x * stretch + shift, y, schedule=replace(schedule, epochs=fit.epoch), standardize=True)
    torch.testing.assert_close(other.model(held[0] * stretch + shift), fit.model(held[0]), atol=2e-3, rtol=1e-3)
    dead = torch.cat([x, torch.full((60, 1), 0.3)], 1)
    weight = linear_probe(dead, y, schedule=schedule, standardize=True).model.weight
    assert weight.isfinite().all() and (weight[:, 8] == 0).all()


def test_linear_probe_refuses_bad_input_and_divergence() -> None:
    x, y = blobs(9)
    with pytest.raises(ValueError, match=r"classes 0 … 1, got 0 … 2"):
        linear_probe(x, y, classes=2)
    with pytest.raises(ValueError, match=r"\(S, 8\)"):
        linear_probe(x, y, validation=(x[:, :3], y))
    with pytest.raises(ValueError, match=r"loss is (nan|inf).* smaller lr"):
        linear_probe(x * 1e30, y, schedule=Schedule(3, 1e20))


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)])
def test_ridge_is_scipys_least_squares_on_the_augmented_system(shape: tuple[int, int]) -> None:
    x, y, new = randn(*shape) + 3, torch.arange(shape[0]) % 3, randn(7, shape[1], seed=1) + 3
    centred = (x.double() - x.double().mean(0)).numpy()
    target = np.where(np.eye(3)[y.numpy()] > 0, 1.0, -1.0)
    tall = np.vstack([centred, math.sqrt(2.5) * np.eye(shape[1])])
    weight = scipy.linalg.lstsq(tall, np.vstack([target - target.mean(0), np.zeros((shape[1], 3))]))[0]
    expected = (new.double() - x.double().mean(0)).numpy() @ weight + target.mean(0)
    found = ridge(x, y, new, strength=2.5)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_coordinates_face_front() -> None:
    """Turning a clip about the vertical changes nothing once the shoulders are aligned; without, it does."""
    x = skelaug.synthetic_motion(SKELETON, 6, 10, generator=torch.Generator().manual_seed(0)).x
    angle = torch.stack([torch.zeros(6), torch.linspace(-3, 3, 6), torch.zeros(6)], 1)
    turned = skelaug.functional.space.linear(x, skelaug.functional.space.rotation_matrix(angle))
    aligned = Coordinates(SKELETON)
    torch.testing.assert_close(aligned(turned), aligned(x), atol=1e-4, rtol=0)
    left, right = SKELETON.shoulders  # type: ignore[misc]
    front = aligned(SkeletonBatch(x)).view(x.shape)
    across = front[:, :, 0, right, 0] - front[:, :, 0, left, 0]
    assert (across[:, 0] > 0).all() and across[:, 2].abs().max() < 1e-5
    assert (Coordinates()(turned) - Coordinates()(x)).abs().max() > 0.1
    assert torch.equal(Coordinates()(x), x.flatten(1))
    no_shoulders = skelaug.Skeleton("stick", ("a", "b"), (0, 0))
    with pytest.raises(ValueError, match="names no shoulders"):
        Coordinates(no_shoulders)


# ---- fusion ----------------------------------------------------------------------------------------------------------


def logits_of(labels: Tensor, strength: float, seed: int, classes: int = 5) -> Tensor:
    return strength * torch.eye(classes)[labels] + randn(len(labels), classes, seed=seed)


def test_fusion_gives_a_stream_of_noise_no_weight() -> None:
    y = torch.arange(400) % 5
    noise = 6 * randn(400, 5, seed=9)
    weights, score = choose_weights([logits_of(y, 2, 1), noise, logits_of(y, 2, 2)], y)
    assert weights[1] == 0 and weights[0] > 0 and weights[2] > 0
    assert score == accuracy(combine([logits_of(y, 2, 1), noise, logits_of(y, 2, 2)], weights).argmax(1), y)
    assert score > accuracy(combine([logits_of(y, 2, 1), noise, logits_of(y, 2, 2)], (0.5, 0.5, 0.5)).argmax(1), y)


def test_fusion_prefers_the_papers_weights_among_equals_and_knows_them() -> None:
    y = torch.arange(20) % 5
    sure = [logits_of(y, 100, seed) for seed in range(3)]
    assert choose_weights(sure, y) == ((0.5, 0.5, 0.5), 1.0)
    assert set(evaluate.fuse._PAPER) <= set(evaluate.fuse._grid(3))
    assert choose_weights(sure[:1], y)[0] == (0.6,)
    noise = [50 * randn(20, 5, seed=seed) for seed in (7, 8)]
    assert choose_weights([sure[0], *noise], y)[1] == 1.0
    assert choose_weights([logits_of(y, 1e4, 0), -sure[0] * 1e4, -sure[0] * 1e4], y)[0] == (0.6, 0.0, 0.0)


def test_fusion_refuses_what_does_not_fit() -> None:
    y = torch.arange(4)
    with pytest.raises(ValueError, match=r"tensor \(4, 4\) on cpu, got float32 \(4, 3\)"):
        combine([torch.zeros(4, 4), torch.zeros(4, 3)], (0.5, 0.5))
    with pytest.raises(ValueError, match="one a stream"):
        combine([torch.zeros(4, 4)], (0.5, 0.5))
    with pytest.raises(ValueError, match="at least one stream"):
        choose_weights([], y)
    with pytest.raises(ValueError, match=r"int64 tensor \(4,\)"):
        choose_weights([torch.zeros(4, 4)], y[:3])


# ---- the labelled part -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=5), st.sampled_from([0.01, 0.1, 0.5, 1.0]), st.integers(0, 99)
)
def test_labelled_takes_its_share_of_every_class(counts: list[int], share: float, seed: int) -> None:
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(counts)])
    everything = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train = everything[: max(1, len(labels) * 2 // 3)]
    chosen = labelled(labels, train, share, seed)
    assert len(set(chosen.tolist())) == len(chosen) and set(chosen.tolist()) <= set(train.tolist())
    for label in range(len(counts)):
        n = int((labels[train] == label).sum())
        assert int((labels[chosen] == label).sum()) == (max(1, round(share * n)) if n else 0)
    assert np.array_equal(chosen, labelled(labels, train, share, seed))


def test_labelled_draws_by_seed_evenly() -> None:
    labels = torch.zeros(10, dtype=torch.int64)
    found = np.bincount([int(labelled(labels, np.arange(10), 0.1, seed)[0]) for seed in range(600)], minlength=10)
    assert found.min() > 30  # expected 60 each, 4 standard deviations below
    with pytest.raises(ValueError, match="share must be a number"):
        labelled(labels, np.arange(10), 0.0)


# ---- with clips ------------------------------------------------------------------------------------------------------

FRAMES = 12


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Three classes that differ in how high the right hand is: 4 subjects, 3 views, 72 clips of other lengths."""
    n = 72
    label, subject, view = (torch.arange(n) // d % m for d, m in ((1, 3), (3, 4), (12, 3)))
    motion = skelaug.synthetic_motion(SKELETON, n, 20, persons=2, generator=torch.Generator().manual_seed(1))
    x, length = motion.x, 12 + torch.arange(n) % 8
    x[:, 1, :, SKELETON.index("hand_right"), 0] += 1.5 * label[:, None] * x[:, :, :, 0, 0].bool().any(1)
    x = torch.where((torch.arange(20) < length[:, None])[:, None, :, None, None], x, 0)
    folder = tmp_path_factory.mktemp("prepared") / "clips"
    write(
        folder,
        x=x.numpy(),
        length=length.numpy(),
        label=label.numpy(),
        subject=subject.numpy() + 1,
        view=view.numpy() + 1,
        names=[f"clip{i}" for i in range(n)],
        class_names=["low", "middle", "high"],
        skeleton=SKELETON,
        splits={"xview": {"train": np.flatnonzero(view < 2), "test": np.flatnonzero(view == 2)}},
    )
    return PreparedDataset.open(folder)


def prepare() -> skelaug.transform.Transform:
    return preparation(SKELETON, FRAMES, "clip")


def encoder() -> STGCN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return STGCN(SKELETON, widths=(8, 16), dropout=0.1)


def test_embed_is_the_encoder_in_eval_mode_clip_by_clip(dataset: PreparedDataset) -> None:
    model = encoder().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    indices = np.array([5, 70, 0, 33, 5])
    found = embed(model, dataset, indices, prepare(), batch=2)
    assert torch.equal(torch.get_rng_state(), state), "a monitor must not disturb the training run"
    assert model.training and not found.requires_grad and found.dtype == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.eval()
    for row, i in zip(found, indices, strict=True):
        clip = SkeletonBatch.from_lengths(torch.tensor(dataset.x[i : i + 1]), torch.tensor([int(dataset.length[i])]))
        with torch.no_grad():
            torch.testing.assert_close(row[None], model(prepare()(clip)), atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="at least one clip"):
        embed(model, dataset, [], prepare())


def test_embed_leaves_the_mode_alone_when_it_fails(dataset: PreparedDataset) -> None:
    class Broken(torch.nn.Module):
        def forward(self, batch: object, people: object) -> Tensor:
            raise RuntimeError("broken")

    model = Broken().train()
    with pytest.raises(RuntimeError, match="broken"):
        embed(model, dataset, [0], prepare())
    assert model.training


def test_finetune_learns_and_repeats_and_leaves_the_encoder_alone(dataset: PreparedDataset) -> None:
    parts = split(dataset, "xview")
    model = encoder()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    schedule = Schedule(epochs=20, lr=0.2, milestones=(16,), batch=16, warmup=1, weight_decay=1e-4, nesterov=True)
    state = torch.get_rng_state()

    def once(seed: int) -> tuple[Tensor, evaluate.Fit[evaluate.Classifier]]:
        fit = finetune(model, dataset, parts["train"], prepare(), classes=3, schedule=schedule, seed=seed)
        return embed(fit.model, dataset, parts["test"], prepare()), fit

    logits, fit = once(0)
    truth = torch.as_tensor(dataset.label)[torch.as_tensor(parts["test"])]
    assert logits.shape == (24, 3) and accuracy(logits.argmax(1), truth) > 0.8
    assert (fit.epoch, fit.validation) == (20, None) and not fit.model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(once(0)[0], logits) and not torch.equal(once(1)[0], logits)


def test_finetune_takes_the_epoch_best_on_validation(dataset: PreparedDataset) -> None:
    parts = split(dataset, "xview", validation_subjects=1)
    assert len(parts["validation"]) and not set(parts["validation"]) & set(parts["train"])
    schedule = Schedule(epochs=8, lr=0.1, batch=16, warmup=1)
    fit = finetune(
        encoder(), dataset, parts["train"], prepare(), classes=3, validation=parts["validation"], schedule=schedule
    )
    truth = torch.as_tensor(dataset.label)[torch.as_tensor(parts["validation"])]
    logits = embed(fit.model, dataset, parts["validation"], prepare())
    assert fit.validation == accuracy(logits.argmax(1), truth), "these are not the weights of the chosen epoch"
    short = finetune(
        encoder(), dataset, parts["train"], prepare(), classes=3, schedule=replace(schedule, epochs=fit.epoch)
    )
    assert torch.equal(
        embed(short.model, dataset, parts["test"], prepare()), embed(fit.model, dataset, parts["test"], prepare())
    )


def test_finetune_with_augmentation_and_few_clips(dataset: PreparedDataset) -> None:
    parts = split(dataset, "xview")
    few = labelled(dataset.label, parts["train"], 0.1)
    assert np.bincount(np.asarray(dataset.label)[few]).tolist() == [2, 2, 2]
    policy = skelaug.policies.hiclr(SKELETON)
    schedule = Schedule(epochs=2, lr=0.01, batch=16)
    plain, strong = (
        finetune(encoder(), dataset, few, prepare(), classes=3, prepare_train=how, schedule=schedule)
        for how in (None, skelaug.Compose([prepare(), policy[0]]))
    )
    a, b = (embed(fit.model, dataset, parts["test"], prepare()) for fit in (plain, strong))
    assert a.isfinite().all() and b.isfinite().all() and not torch.equal(a, b)
    with pytest.raises(ValueError, match=r"classes 0 … 1, got 0 … 2"):
        finetune(encoder(), dataset, few, prepare(), classes=2)


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_projection_is_principal_component_analysis() -> None:
    x = randn(50, 6) * torch.tensor([5.0, 3.0, 1.0, 0.5, 0.2, 0.1])
    points, share = pictures.project(x)
    values, vectors = scipy.linalg.eigh(np.cov(x.double().numpy().T))
    expected = (x.double() - x.double().mean(0)).numpy() @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(points.numpy()), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(share.numpy(), values[::-1][:2] / values.sum(), atol=1e-9)
    assert torch.equal(pictures.project(x)[0], points)
    flat, none = pictures.project(torch.ones(4, 1))
    assert torch.equal(flat, torch.zeros(4, 2).double()) and torch.equal(none, torch.zeros(2).double())
    with pytest.raises(ValueError, match="two samples"):
        pictures.project(x[:1])


@pytest.mark.parametrize("classes", [3, 15, 40])
def test_pictures_name_every_class(classes: int, tmp_path: Path) -> None:
    y = torch.arange(120) % classes
    names = [f"action {i}" for i in range(classes)]
    figure = pictures.draw_projection(torch.eye(classes)[y] + 0.1 * randn(120, classes), y, names, title="features")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    matrix = pictures.draw_confusion(confusion(y.roll(1), y, classes), names, title="probe")
    assert [text.get_text() for text in matrix.axes[0].get_yticklabels()] == names
    plot.save(figure, tmp_path / "a.png")
    plot.save(matrix, tmp_path / "b.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in "ab")
    with pytest.raises(ValueError, match="names need a"):
        pictures.draw_confusion(torch.zeros(2, 2), names, title="")


# ---- real recordings -------------------------------------------------------------------------------------------------


def test_ridge_on_nw_ucla(recordings: Path, tmp_path: Path) -> None:
    """The figures of the recordings' README: 70.0 % on all 464 clips of the third camera, 64.2 % on the 369 clean."""
    convert.from_npz(recordings / "nw_ucla.npz", tmp_path / "ucla", skeleton=SKELETON)
    dataset = PreparedDataset.open(tmp_path / "ucla")
    parts = split(dataset, "xview")
    ready, coordinates = preparation(SKELETON, 20, "clip"), Coordinates(SKELETON)
    x = {part: embed(coordinates, dataset, parts[part], ready) for part in ("train", "test", "test_clean")}
    labels = torch.as_tensor(dataset.label)

    def percent(part: str) -> float:
        scores = ridge(x["train"], labels[torch.as_tensor(parts["train"])], x[part])
        return 100 * accuracy(scores.argmax(1), labels[torch.as_tensor(parts[part])])

    assert (len(x["train"]), len(x["test"]), len(x["test_clean"])) == (1020, 464, 369)
    assert percent("test") == pytest.approx(70.0, abs=1.5)
    assert percent("test_clean") == pytest.approx(64.2, abs=1.5)
