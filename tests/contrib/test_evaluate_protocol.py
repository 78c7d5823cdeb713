"""The evaluation commands take the split from the run, and do not test on clips that it was trained on.

Clips of the data set: 72 of 4 subjects and 3 views. xview tests the 24 of view 2, xsub the 18 of subject 3.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from evaluated import FRAMES, SKELETON, Run, exported, prepared, refused, rows
from runs import prepared as prepared_to_train
from runs import tiny

from skelaug_contrib.datasets import PreparedDataset, preparation, split, write
from skelaug_contrib.evaluate import LINEAR, Coordinates, accuracy, embed, knn, linear_probe
from skelaug_contrib.train import pretrain

COMMANDS = ("knn", "linear", "finetune", "semi", "fuse", "embed")
STREAMS = ("joint", "bone", "motion")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "data")


def line(command: str, folder: Path, data: Path, **how: Any) -> list[object]:
    """A command on runs that are made for it; little is trained."""
    streams = STREAMS if command == "fuse" else ("joint",)
    runs = [exported(folder / stream, data, stream, **how) for stream in streams]
    few: dict[str, list[object]] = {
        "knn": [],
        "embed": ["--out", folder / "embed"],
        "fuse": ["--epochs", 1, "--seeds", 1, "--weights", 1, 1, 1],
    }
    return [command, *runs, data, *few.get(command, ["--epochs", 1, "--seeds", 1])]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_split_is_that_of_the_run_and_is_told(command: str, data: Path, run: Run, tmp_path: Path) -> None:
    code, text, err = run(*line(command, tmp_path / "runs", data, protocol="xsub", held=1))
    assert (code, err) == (0, "")
    told = " ".join(text.split())
    assert "protocol xsub, as pretrained validation subjects 1, as pretrained" in told
    for stream in STREAMS if command == "fuse" else ("joint",):
        name = f", {stream}" if command == "fuse" else ""
        assert f"preparation{name} {FRAMES} frames, center clip, stream {stream}" in told
        assert f"pretrained{name} 10 of 10 steps on 36 training clips of 72" in told
    if command == "embed":
        assert "18 test clips" in text
    else:
        assert {"test  18", "validation  18"} <= {"  ".join(found) for found in re.findall(r"(\w+) +(18)\b", text)}


def test_the_report_holds_what_was_evaluated_and_the_exported_file_suffices(
    data: Path, run: Run, tmp_path: Path
) -> None:
    encoder = exported(tmp_path / "run", data, protocol="xsub", held=1, step=3) / "encoder.safetensors"
    alone = Path(shutil.move(encoder, tmp_path / "alone.safetensors"))
    code, text, _ = run("knn", alone, data, "--out", tmp_path / "knn.json")
    assert code == 0 and {name: row[1] for name, row in rows(text).items()} == {"validation": "18", "test": "18"}
    found = json.loads((tmp_path / "knn.json").read_text())
    assert (found["protocol"], found["validation_subjects"], found["encoder"]) == ("xsub", 1, "stgcn")
    prepared = {"frames": FRAMES, "center": "clip", "stream": "joint", "align": None, "size": None, "coords": None}
    assert found["preparation"] == prepared
    assert (found["pretrained"]["step"], found["pretrained"]["total"]) == (3, 10)
    assert found["warnings"] == [f"{alone} is unfinished: 3 of 10 steps are done"]
    assert not {"on", "frames", "center", "align"} & found.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unfinished_run_is_evaluated_with_a_warning(command: str, data: Path, run: Run, tmp_path: Path) -> None:
    code, text, err = run(*line(command, tmp_path / "runs", data, protocol="xsub", step=3))
    assert code == 0 and "3 of 10 steps" in text
    lines = err.splitlines()
    assert len(lines) == (3 if command == "fuse" else 1)
    assert all(said.startswith(f"skelaug {command}: warning: ") and "3 of 10 steps are done" in said for said in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_test_clips_that_were_pretrained_on_are_refused_unless_one_insists(
    command: str, data: Path, run: Run, tmp_path: Path
) -> None:
    words = [*line(command, tmp_path / "runs", data, protocol="xsub"), "--protocol", "xview"]
    message = refused(run, *words)
    assert "18 of the 24 test clips of protocol 'xview' were pretrained on" in message
    assert "take --protocol xsub, or --insist" in message
    code, text, err = run(*words, "--insist")
    assert code == 0 and "protocol xview, pretrained with xsub" in " ".join(text.split())
    assert "18 of the 24 test clips" in err and "18 of the 24 test clips" in text


def test_who_was_held_out_of_the_pretraining_is_no_leak(data: Path, run: Run, tmp_path: Path) -> None:
    folder = exported(tmp_path / "run", data, protocol="xsub", held=1)
    assert "12 of the 24 test clips" in refused(run, "knn", folder, data, "--protocol", "xview")
    dataset = PreparedDataset.open(data)
    held = split(dataset, "xsub", validation_subjects=2)["validation"]
    splits = {"xsub": dataset.splits["xsub"], "others": {"train": dataset.splits["xsub"]["test"], "test": held}}
    columns = {name: getattr(dataset, name) for name in ("length", "label", "names", "class_names", "subject")}
    write(tmp_path / "more", x=np.asarray(dataset.x), skeleton=SKELETON, splits=splits, **columns)
    folder = exported(tmp_path / "second", tmp_path / "more", protocol="xsub", held=2)
    code, text, err = run("knn", folder, tmp_path / "more", "--protocol", "others", "--validation-subjects", 0)
    assert (code, err) == (0, "") and rows(text)["test"][1] == "36"


def test_validation_subjects_that_were_pretrained_on_are_told(data: Path, run: Run, tmp_path: Path) -> None:
    folder = exported(tmp_path / "run", data, protocol="xsub", held=1)
    code, text, err = run("knn", folder, data, "--validation-subjects", 2)
    assert code == 0 and "18 of the 36 validation clips were pretrained on, without labels" in err
    assert "validation subjects  2, pretrained with 1" in text
    code, text, err = run("knn", folder, data, "--validation-subjects", 0)
    assert (code, err) == (0, "") and set(rows(text)) == {"test"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("why", ["an older file", "other data"])
def test_where_nothing_is_known_the_protocol_must_be_named(
    why: str, command: str, data: Path, run: Run, tmp_path: Path
) -> None:
    words = line(command, tmp_path / "runs", data, protocol="xsub", told=why != "an older file")
    if why == "other data":
        other = prepared(tmp_path / "other", seed=2)
        words = [other if word == data else word for word in words]
    message = refused(run, *words)
    assert "name the protocol: --protocol, one of xview, xsub" in message
    assert ("of older versions" if why == "an older file" else "is not what") in message
    code, text, err = run(*words, "--protocol", "xview")
    assert code == 0 and "whether test clips were pretrained on cannot be checked" in err
    told = " ".join(text.split())
    assert "protocol xview validation subjects 0 prep" in told and "warning" in told
    assert ("pretrained not known" in told or "pretrained, bone not known" in told) == (why == "an older file")


def test_a_run_of_an_older_version_tells_by_its_checkpoint(run: Run, tmp_path: Path) -> None:
    data, out = prepared_to_train(tmp_path / "data"), tmp_path / "run"
    file = pretrain(tiny(data, data__validation_subjects=1, max_steps=3), out)
    told = run("knn", out, data)
    assert told[0] == 0 and "xsub, as pretrained" in told[1] and "3 of 3 steps" in told[1]
    with safetensors.safe_open(file, "pt") as opened:
        [(key, text)] = opened.metadata().items()
    about = json.loads(text)
    del about["pretrained"]
    file.write_bytes(safetensors.torch.save(safetensors.torch.load(file.read_bytes()), {key: json.dumps(about)}))
    assert run("knn", out, data) == told
    assert "name the protocol" in refused(run, "knn", file, data)
    (out / "checkpoint.pt").write_bytes(b"damaged")
    assert "name the protocol" in refused(run, "knn", out, data)
    assert run("knn", out, data, "--protocol", "xsub")[0] == 0


@pytest.mark.parametrize("changed", [{"protocol": "xview"}, {"held": 2}])
def test_runs_of_different_splits_are_not_fused(changed: dict[str, Any], data: Path, run: Run, tmp_path: Path) -> None:
    alike: dict[str, Any] = {"protocol": "xsub", "held": 1}
    streams = [exported(tmp_path / s, data, s, **alike | (changed if s == "bone" else {})) for s in STREAMS]
    for words in ([], ["--protocol", "xsub", "--validation-subjects", 1, "--insist"]):
        message = refused(run, "fuse", *streams, data, *words)
        assert "different protocols or numbers of validation subjects" in message
        assert f"{streams[0]}: xsub, 1" in message


def test_fusion_chooses_its_weights_on_the_validation_subjects_of_the_runs(
    data: Path, run: Run, tmp_path: Path
) -> None:
    streams = [exported(tmp_path / s, data, s, protocol="xsub", held=1) for s in STREAMS]
    few = ("--epochs", 2, "--seeds", 1, "--out", tmp_path / "fuse.json")
    assert run("fuse", *streams, data, *few)[0] == 0
    found = json.loads((tmp_path / "fuse.json").read_text())
    assert len(found["chosen_on_validation"]) == 1 and set(found["streams"]) == set(STREAMS)


# --- raw coordinates --------------------------------------------------------------------------------------------------


def features(data: Path, protocol: str, held: int, **how: Any) -> tuple[Any, Any]:
    """Coordinates and labels by part, by the library."""
    dataset = PreparedDataset.open(data)
    ready = preparation(SKELETON, **{"frames": 50, "center": "frame", "align": "frame"} | how)
    parts = split(dataset, protocol, validation_subjects=held)
    labels = {part: torch.as_tensor(dataset.label)[torch.as_tensor(indices)] for part, indices in parts.items()}
    return {part: embed(Coordinates(), dataset, indices, ready) for part, indices in parts.items()}, labels


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ((), {}),
        (("--frames", 8, "--center", "none", "--align", "none"), {"frames": 8, "center": "none", "align": None}),
        (("--align", "spine", "--center", "clip"), {"align": "spine", "center": "clip"}),
    ],
)
def test_coordinates_are_judged_by_their_neighbours(
    options: tuple[object, ...], how: dict[str, Any], data: Path, run: Run, tmp_path: Path
) -> None:
    code, text, err = run(
        "knn", data, "--on", "coordinates", "--protocol", "xsub", *options, "--out", tmp_path / "knn.json"
    )
    assert (code, err) == (0, "") and "nothing: coordinates as they are" in text
    x, labels = features(data, "xsub", 0, **how)
    expected = accuracy(knn(x["train"], labels["train"], x["test"]), labels["test"])
    found = json.loads((tmp_path / "knn.json").read_text())
    assert found["results"][0]["accuracy"]["mean"] == pytest.approx(expected)
    assert found["encoder"] == "coordinates" and found["pretrained"] is None
    assert found["preparation"].items() >= ({"frames": 50, "center": "frame", "align": "frame"} | how).items()


def test_a_linear_classifier_on_coordinates_does_not_mind_their_unit(data: Path, run: Run, tmp_path: Path) -> None:
    dataset = PreparedDataset.open(data)
    columns = {name: getattr(dataset, name) for name in ("length", "label", "names", "class_names", "subject")}
    x = np.asarray(dataset.x)
    write(tmp_path / "mm", x=1024 * x, skeleton=SKELETON, splits=dataset.splits, **columns)
    words = ("--on", "coordinates", "--protocol", "xsub", "--validation-subjects", 1, "--seeds", 2)
    found = []
    for folder in (data, tmp_path / "mm"):
        assert run("linear", *words, folder, "--out", tmp_path / "linear.json")[0] == 0
        found.append(json.loads((tmp_path / "linear.json").read_text()))
    assert found[0]["results"] == found[1]["results"]
    assert found[0]["standardize"] is True and found[0]["schedule"]["lr"] == 0.003
    of, labels = features(data, "xsub", 1)
    fit = linear_probe(
        of["train"],
        labels["train"],
        validation=(of["validation"], labels["validation"]),
        schedule=LINEAR["coordinates"],
        standardize=True,
    )
    test = next(row for row in found[0]["results"] if row["split"] == "test")
    assert test["accuracy"]["each"][0] == pytest.approx(accuracy(fit.model(of["test"]).argmax(1), labels["test"]))
    assert found[0]["chosen_on_validation"][0] == {"seed": 0, "epoch": fit.epoch}


def test_bodies_without_shoulders_are_not_turned(data: Path, run: Run, tmp_path: Path) -> None:
    dataset = PreparedDataset.open(data)
    columns = {name: getattr(dataset, name) for name in ("length", "label", "names", "class_names")}
    x, about = np.asarray(dataset.x), {"splits": dataset.splits, **columns}
    bare = replace(SKELETON, name="bare", shoulders=None)
    write(tmp_path / "bare", x=x, skeleton=bare, **about)
    code, text, _ = run("knn", tmp_path / "bare", "--on", "coordinates", "--protocol", "xsub")
    assert code == 0 and "50 frames, center frame, stream joint" in text and "align" not in text
    words = ("--on", "coordinates", "--protocol", "xsub", "--align", "frame")
    assert "shoulders" in refused(run, "knn", tmp_path / "bare", *words)


@pytest.mark.parametrize("command", ["knn", "linear"])
def test_wrong_combinations_are_explained(command: str, data: Path, run: Run, tmp_path: Path) -> None:
    folder = exported(tmp_path / "run", data)
    on = ("--on", "coordinates")
    assert "name the protocol: --protocol, one of xview, xsub" in refused(run, command, data, *on)
    assert f"leave out {folder}" in refused(run, command, folder, data, *on, "--protocol", "xsub")
    assert "--on coordinates" in refused(run, command, data, "--protocol", "xsub")
    assert "nothing was pretrained" in refused(run, command, data, *on, "--protocol", "xsub", "--insist")
    for option, value in (("--frames", 20), ("--center", "none"), ("--align", "none")):
        message = refused(run, command, folder, data, option, value)
        assert f"{option} is for --on coordinates" in message and str(folder) in message
    with pytest.raises(SystemExit) as stopped:
        run(command)
    assert stopped.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        run(command, folder, data, data)
    assert stopped.value.code == 2


@pytest.mark.parametrize("command", ["knn", "linear"])
def test_options_may_stand_anywhere(command: str, data: Path, run: Run, tmp_path: Path) -> None:
    folder = exported(tmp_path / "run", data)
    few = ("--epochs", 1) if command == "linear" else ("--k", 3)
    outputs = [
        run(command, folder, data, "--batch", 8, *few),
        run(command, "--batch", 8, folder, *few, data),
        run(command, folder, "--batch", 8, *few, data),
    ]
    assert outputs[0][0] == 0 and outputs[0] == outputs[1] == outputs[2]
