"""The evaluation commands: on good files they report, on bad ones they say why not in one line and exit with 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluated import FRAMES, SKELETON, Run, World, exported, prepared, refused, rows

import skelaug
from skelaug_contrib.commands import evaluation
from skelaug_contrib.datasets import PreparedDataset, preparation, split
from skelaug_contrib.evaluate import LINEAR, accuracy, embed, knn, linear_probe


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    data = prepared(root / "data")
    return World(data, {stream: exported(root / stream, data, stream) for stream in ("joint", "bone", "motion")})


def test_knn_reports_what_the_library_finds(world: World, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "knn.json"
    code, text, _ = run("knn", world["joint"], world.data, "--k", 5, "--out", out)
    assert code == 0
    dataset = PreparedDataset.open(world.data)
    parts, ready = split(dataset, "xview"), preparation(SKELETON, FRAMES)
    from skelaug_contrib.checkpoint import load_encoder

    encoder, _ = load_encoder(world["joint"] / "encoder.safetensors")
    labels = {part: torch.as_tensor(dataset.label)[torch.as_tensor(indices)] for part, indices in parts.items()}
    x = {part: embed(encoder, dataset, indices, ready) for part, indices in parts.items()}
    expected = {p: accuracy(knn(x["train"], labels["train"], x[p], 5), labels[p]) for p in ("test", "test_clean")}
    found = json.loads(out.read_text())
    assert {row["split"]: row["accuracy"]["mean"] for row in found["results"]} == pytest.approx(expected)
    assert [row["clips"] for row in found["results"]] == [24, 12]
    assert found["command"] == "knn" and found["k"] == 5 and found["protocol"] == "xview"
    table = rows(text)
    assert table["test"] == ["test", "24", f"{100 * expected['test']:.1f}", table["test"][3]]
    assert "nothing was chosen" in text and "reference implementation chose" in text and f"wrote {out}" in text


def test_a_data_set_without_a_clean_part_has_no_such_row(world: World, run: Run, tmp_path: Path) -> None:
    data = prepared(tmp_path / "plain", clean=False)
    code, text, _ = run("knn", exported(tmp_path / "run", data) / "encoder.safetensors", data)
    assert code == 0 and set(rows(text)) == {"test"}


def test_linear_gives_mean_and_deviation_over_seeds(world: World, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "linear.json"
    arguments = ("--epochs", 20, "--validation-subjects", 1, "--seeds", 3, "--out", out)
    code, text, _ = run("linear", world["joint"], world.data, *arguments)
    assert code == 0 and set(rows(text)) == {"validation", "test", "test_clean"}
    found = json.loads(out.read_text())
    for row in found["results"]:
        each = np.array(row["accuracy"]["each"])
        assert len(each) == 3 and row["accuracy"]["mean"] == pytest.approx(each.mean())
        assert row["accuracy"]["std"] == pytest.approx(each.std(ddof=1))
        shown = rows(text)[row["split"]]
        assert shown[1:5] == [str(row["clips"]), f"{100 * each.mean():.1f}", "±", f"{100 * each.std(ddof=1):.1f}"]
    assert found["schedule"]["epochs"] == 20 and found["schedule"]["milestones"] == [16]
    assert [choice["seed"] for choice in found["chosen_on_validation"]] == [0, 1, 2]
    assert "3 seeds" in text and "validation subjects" in text


def test_finetune_and_semi_learn(world: World, run: Run, tmp_path: Path) -> None:
    few = ("--epochs", 15, "--lr", 0.2, "--train-batch", 16, "--seeds", 1)
    code, text, _ = run("finetune", world["joint"], world.data, *few, "--validation-subjects", 1)
    assert code == 0 and float(rows(text)["test"][2]) > 60 and "±" not in rows(text)["test"]
    code, text, _ = run("finetune", world["joint"], world.data, *few, "--epochs", 1, "--augment", "normal")
    assert code == 0
    out = tmp_path / "semi.json"
    code, text, _ = run("semi", world["bone"], world.data, *few, "--epochs", 1, "--share", 0.1, 0.5, "--out", out)
    assert code == 0 and "10 %" in text and "50 %" in text
    results = json.loads(out.read_text())["results"]
    assert [(r["variant"], r["split"]) for r in results] == [
        (share, part) for share in ("10 %", "50 %") for part in ("test", "test_clean")
    ]


def test_fuse_reports_streams_and_their_fusion(world: World, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "fuse.json"
    streams = [world[s] for s in ("joint", "bone", "motion")]
    few = ("--epochs", 10, "--seeds", 2)
    code, text, _ = run("fuse", *streams, world.data, *few, "--validation-subjects", 1, "--out", out)
    assert code == 0
    for name in ("joint", "bone", "motion", "fused"):
        assert text.count(f"\n{name} ") == 3
    chosen = json.loads(out.read_text())["chosen_on_validation"]
    assert len(chosen) == 2 and all(len(choice["weights"]) == 3 for choice in chosen)
    code, text, _ = run("fuse", *streams, world.data, *few, "--weights", 0.6, 0.6, 0.4, "--out", out)
    assert code == 0 and json.loads(out.read_text())["chosen_on_validation"] == []
    assert "nothing was chosen" in text


@pytest.mark.parametrize("command", ["linear", "finetune", "semi", "fuse"])
def test_no_choice_depends_on_the_test_labels(command: str, world: World, run: Run, tmp_path: Path) -> None:
    """The same clips with wrong labels in the test part: the choices stay, only the test scores change."""
    adversarial = prepared(tmp_path / "adversarial", flip=True)
    found: list[Any] = []
    for data in (world.data, adversarial):
        out = tmp_path / f"{data.name}.json"
        runs = [world[s] for s in (("joint", "bone", "motion") if command == "fuse" else ("joint",))]
        trained = command in ("finetune", "semi")
        how = ("--lr", 0.1, "--train-batch", 6) if trained else ("--lr", 0.5, "--standardize")
        few = ("--epochs", 12, "--seeds", 2, "--validation-subjects", 1, *how)
        share = ("--share", 0.7) if command == "semi" else ()
        assert run(command, *runs, data, "--protocol", "xview", *few, *share, "--out", out)[0] == 0
        found.append(json.loads(out.read_text()))
    honest, wrong = found
    assert honest["chosen_on_validation"] == wrong["chosen_on_validation"] != []
    for a, b in zip(honest["results"], wrong["results"], strict=True):
        if a["split"] == "validation":
            assert a == b
        else:
            assert a["accuracy"]["mean"] > b["accuracy"]["mean"], "nothing was learned, so the test tests nothing"


def test_embed_writes_features_and_pictures(world: World, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "embed"
    code, text, _ = run("embed", world["joint"], world.data, "--split", "test_clean", "--out", out)
    assert code == 0 and {p.name for p in out.iterdir()} == {"features.npz", "projection.png"}
    code, text, _ = run("embed", world["joint"], world.data, "--probe", "--out", out)
    assert code == 0 and {p.name for p in out.iterdir()} == {"features.npz", "projection.png", "confusion.png"}
    assert "24 test clips, 16 features each" in text
    dataset = PreparedDataset.open(world.data)
    with np.load(out / "features.npz", allow_pickle=False) as found:
        arrays = dict(found)
    assert arrays["features"].shape == (24, 16) and arrays["features"].dtype == np.float32
    assert np.array_equal(arrays["index"], split(dataset, "xview")["test"])
    assert np.array_equal(arrays["label"], np.asarray(dataset.label)[arrays["index"]])
    assert arrays["class_names"].tolist() == ["low", "middle", "high"]
    options = {
        "data": world.data,
        "protocol": "xview",
        "validation_subjects": 0,
        "insist": False,
        "device": torch.device("cpu"),
        "batch": 7,
    }
    task = evaluation.open_task(world["joint"], options)
    fit = linear_probe(task.embed("train"), task.labels("train"), schedule=LINEAR["stgcn"])
    same = (fit.model(torch.tensor(arrays["features"])).argmax(1).numpy() == arrays["prediction"]).mean()
    assert same > 0.9  # the batch size moves features by rounding
    from matplotlib.image import imread

    for name in ("projection", "confusion"):
        picture = imread(out / f"{name}.png")
        assert picture.shape[0] > 300 and picture.std() > 0.02


# ---- what is refused -------------------------------------------------------------------------------------------------


COMMANDS = ("knn", "linear", "finetune", "semi", "embed")


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_files_are_refused_in_one_line(command: str, world: World, run: Run, tmp_path: Path) -> None:
    foreign, short = tmp_path / "foreign.safetensors", tmp_path / "short.safetensors"
    foreign.write_bytes(b"this is no encoder at all, but it is long enough to be read as a header" * 20)
    short.write_bytes((world["joint"] / "encoder.safetensors").read_bytes()[:500])
    assert "foreign.safetensors" in refused(run, command, foreign, world.data)
    assert "short.safetensors" in refused(run, command, short, world.data)
    assert "no such file" in refused(run, command, tmp_path / "nowhere", world.data)
    assert "no such file" in refused(run, command, tmp_path, world.data)
    assert str(tmp_path) in refused(run, command, world["joint"], tmp_path)
    assert "'xset'" in refused(run, command, world["joint"], world.data, "--protocol", "xset")
    assert "4 subjects" in refused(run, command, world["joint"], world.data, "--validation-subjects", 4)
    other = exported(tmp_path / "other", world.data, skeleton=skelaug.skeletons["coco17"])
    assert "'coco17' (17 joints)" in refused(run, command, other, world.data)


def test_fuse_refuses_streams_in_the_wrong_place_and_choices_without_validation(world: World, run: Run) -> None:
    joint, bone, motion = (world[s] for s in ("joint", "bone", "motion"))
    message = refused(run, "fuse", bone, joint, motion, world.data, "--validation-subjects", 1)
    assert "'bone', expected 'joint'" in message
    assert "--validation-subjects 1" in refused(run, "fuse", joint, bone, motion, world.data)


def test_embed_refuses_a_part_that_is_not_there(world: World, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    message = refused(run, "embed", world["joint"], world.data, "--split", "validation", "--out", out)
    assert "train, test, test_clean" in message and not out.exists()


@pytest.mark.parametrize("command", ["knn", "embed"])
def test_a_full_disk_leaves_the_old_file(
    command: str, world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, *_: object, **__: object) -> None:
        with open(str(self), "wb") as file:
            file.write(b"{")
        raise OSError(28, "No space left on device")

    out = tmp_path / ("features.npz" if command == "embed" else "report.json")
    out.write_text("before")
    monkeypatch.setattr("numpy.savez", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = run(command, world["joint"], world.data, "--out", tmp_path if command == "embed" else out)
    assert code == 1 and "No space left" in err and err.count("\n") == 1
    assert out.read_text() == "before" and list(tmp_path.iterdir()) == [out]


def test_divergence_is_refused(world: World, run: Run) -> None:
    message = refused(run, "linear", world["joint"], world.data, "--lr", 1e38, "--epochs", 3, "--seeds", 1)
    assert "smaller lr" in message


@pytest.mark.parametrize("options", [("--lr", "0"), ("--seeds", "0"), ("--milestones", "x"), ("--device", "nonsense")])
def test_wrong_usage_exits_with_2(options: tuple[str, str], world: World, run: Run) -> None:
    with pytest.raises(SystemExit) as error:
        run("linear", world["joint"], world.data, *options)
    assert error.value.code == 2


@pytest.mark.parametrize("command", [*COMMANDS, "fuse"])
def test_help_teaches(command: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run(command, "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert error.value.code == 0 and "validation" in text and "on the test set" in text and "skelaug prepare" in text
