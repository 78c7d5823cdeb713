"""Does HiCLR's claim hold on NW-UCLA? Pretrain every method alike, evaluate, and write ``docs/results.md``.

    skelaug prepare npz nw_ucla.npz out/nw_ucla
    python -m benchmarks.study run out/nw_ucla       # every run of the study; skips what is finished
    python -m benchmarks.study try out/nw_ucla NAME --optimizer.lr 0.05    # one setting, scored on held-out subjects
    python -m benchmarks.study report                # docs/results.md and its figures, from the runs that are there

Every run leaves one JSON file in ``benchmarks/results``; a run that was cut off goes on from its checkpoint. The test
clips are scored by ``run`` alone; settings are chosen by ``try``, which never sees them.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import skelaug
from benchmarks.study_report import report
from skelaug_contrib import checkpoint
from skelaug_contrib.commands.pretrain import parse
from skelaug_contrib.config import to_dict
from skelaug_contrib.datasets import EpochBatches, PreparedDataset, loader, preparation, split
from skelaug_contrib.evaluate import LINEAR, Coordinates, accuracy, embed, knn, linear_probe, ridge
from skelaug_contrib.train import build_model, pretrain

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("xview", "xsub")
HELD_OUT = 2  # subjects of the training part on which settings are chosen

#: What each read-out may choose on the held-out subjects; the first of equally good ones is taken.
SETTINGS: dict[str, tuple[float, ...]] = {
    "knn": (20, 1, 5, 10, 50),  # neighbours
    "linear": (3.0, 0.3, 1.0, 10.0),  # learning rate; the paper's first
    "ridge": (1.0, 0.01, 0.1, 10.0, 100.0),  # penalty
}

#: How clips are brought to the encoder: as they were recorded; put at the origin and turned to the shoulders by the
#: first frame; the same in every frame, as in the paper.
PREPARATIONS = {
    name: ["--data.center", name, "--data.align", "null" if name == "none" else name]
    for name in ("none", "clip", "frame")
}

#: The settings in which a variant differs from small.yaml; None is an encoder that is never trained.
VARIANTS: dict[str, list[str] | None] = {
    "untrained": None,
    "skeletonclr": ["--method.method", "skeletonclr"],
    "naive-mask": ["--method.method", "naive"],
    "aimclr": ["--method.method", "aimclr"],
    "hiclr-2": ["--method.views", "2"],
    "hiclr-mask": [],
    "hiclr-edges": ["--method.strong", "edges"],
    "hiclr-adain": ["--method.strong", "adain"],
    "hiclr-all": ["--method.strong", "all"],
    "hiclr-mask-symmetric": ["--method.direction", "symmetric"],
    "hiclr-mask-reversed": ["--method.direction", "reversed"],
}
MAIN = ["untrained", "skeletonclr", "naive-mask", "hiclr-2", "hiclr-mask", "hiclr-adain", "hiclr-all"]

#: The parts of the study: preparation, variants, seeds. Both protocols are run for each.
PARTS: list[tuple[str, list[str], range]] = [
    ("frame", list(VARIANTS), range(5)),
    *((name, ["skeletonclr", "naive-mask", "hiclr-mask", "hiclr-adain"], range(3)) for name in ("clip", "none")),
]


def measure(data: Path, settings: list[str], out: Path, validation: int = 0, *, trained: bool = True) -> dict[str, Any]:
    """Pretrain with small.yaml and these settings, then score the encoder's features.

    The encoder never sees a label. What the read-outs need (k, a learning rate, a penalty) is chosen on held-out
    subjects of the training part; only then are the test clips scored, once.
    """
    config = parse("study", [str(data), str(out), "--config", "small.yaml", *settings])["config"]
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, validation_subjects=validation))
    dataset = PreparedDataset.open(data)
    if trained:
        pretrain(config, out)
        encoder, spec = checkpoint.load_encoder(out / "encoder.safetensors")
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        losses = [line for line in lines if "loss" in line]
        course = {"loss": [losses[0]["loss"], losses[-1]["loss"]], "seconds": losses[-1]["seconds"]}
        assert spec.skeleton == dataset.skeleton
    else:
        torch.manual_seed(config.seed)
        encoder, course = build_model(config, dataset.skeleton, dataset.x.shape[1]).encoder, {"seconds": 0.0}
    chosen = config.data
    prepare = preparation(dataset.skeleton, chosen.frames, chosen.center, chosen.stream, chosen.align, chosen.size)
    parts = split(dataset, chosen.protocol, validation_subjects=validation or None)
    if not trained:
        calibrate(encoder, dataset, parts["train"], prepare)
    scored = ["validation"] if validation else [part for part in parts if part.startswith("test")]
    features = embed(encoder, dataset, range(len(dataset)), prepare)
    return {
        "config": to_dict(config),
        **score(features, dataset, chosen.protocol, {part: parts[part] for part in ("train", *scored)}, config.seed),
        **course,
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
        "skelaug": skelaug.__version__,
        "machine": platform.machine(),
    }


def score(
    features: torch.Tensor, dataset: PreparedDataset, protocol: str, parts: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Accuracy of each read-out on each part but ``train``, with the setting that is best on held-out subjects."""
    labels = torch.from_numpy(dataset.label)
    held = split(dataset, protocol, validation_subjects=HELD_OUT)

    def predictions(readout: str, setting: float, train: Any, rows: Any) -> torch.Tensor:
        x, y, queries = features[train], labels[train], features[rows]
        match readout:
            case "knn":
                return knn(x, y, queries, k=int(setting))
            case "linear":
                schedule = dataclasses.replace(LINEAR["stgcn"], lr=setting)
                return (
                    linear_probe(x, y, classes=len(dataset.class_names), schedule=schedule, seed=seed)
                    .model(queries)
                    .argmax(1)
                )
            case _:
                return ridge(x, y, queries, setting).argmax(1)

    found: dict[str, Any] = {"chosen": {}, "validation": {}, "scores": {part: {} for part in parts if part != "train"}}
    for readout, settings in SETTINGS.items():
        truth = labels[held["validation"]]
        on_held = {
            setting: accuracy(predictions(readout, setting, held["train"], held["validation"]), truth)
            for setting in settings
        }
        best = max(settings, key=on_held.__getitem__)  # the first of equal ones
        found["chosen"][readout], found["validation"][readout] = best, on_held[best]
        for part, scores in found["scores"].items():
            scores[readout] = accuracy(predictions(readout, best, parts["train"], parts[part]), labels[parts[part]])
    return found


@torch.no_grad()
def calibrate(encoder: torch.nn.Module, dataset: PreparedDataset, train: Any, prepare: skelaug.Compose) -> None:
    """Batch-norm statistics from the training clips: without them an untrained encoder's features are next to 0."""
    encoder.train()
    sampler = EpochBatches(train, 64, 0)
    for epoch in range(3):
        sampler.set_position(epoch)
        for clips in loader(dataset, sampler):
            encoder(prepare(clips.batch, keys=skelaug.random.keys(0, epoch, clips.ids)))


def save(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write(path, (json.dumps(found, indent=2) + "\n").encode())


def run(data: Path, work: Path, jobs: int, seeds: list[int]) -> None:
    """Do what is not done yet, ``jobs`` runs at a time, one thread each; a run that was cut off goes on."""
    todo = [
        (name, protocol, variant, seed)
        for name, variants, wanted in PARTS
        for seed in wanted
        for variant in variants
        for protocol in PROTOCOLS
        if seed in seeds and not result_file(name, protocol, variant, seed).exists()
    ]
    # What the claim rests on comes first: the methods of MAIN with three seeds, the others, preparations, more seeds.
    todo.sort(key=lambda each: (each[3] >= 3, each[0] != "frame", each[2] not in MAIN, each[3]))
    print(f"{len(todo)} runs to do")
    threads = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        calls = {}
        for each in todo:
            command = [sys.executable, "-m", "benchmarks.study", "one", str(data), *map(str, each), "--work", str(work)]
            call = pool.submit(subprocess.run, command, env=threads, check=True, capture_output=True, text=True)
            calls[call] = " ".join(map(str, each))
        for done in concurrent.futures.as_completed(calls):
            try:
                print(f"{calls[done]}: {done.result().stdout.strip()}", flush=True)
            except subprocess.CalledProcessError as error:
                pool.shutdown(cancel_futures=True)
                sys.exit(f"{calls[done]} failed:\n{error.stderr}")


def one(data: Path, name: str, protocol: str, variant: str, seed: int, work: Path) -> None:
    settings = VARIANTS[variant]
    common = ["--seed", str(seed), "--data.protocol", protocol, *PREPARATIONS[name]]
    out = work / name / f"{protocol}-{variant}-{seed}"
    found = measure(data, [*common, *(settings or [])], out, trained=settings is not None)
    found["config"]["data"]["path"] = "nw_ucla"
    save(result_file(name, protocol, variant, seed), found)
    print(describe(found))


def describe(found: dict[str, Any]) -> str:
    """The scores in one line."""
    scores = [
        f"{part} k-NN {100 * score['knn']:.1f} linear {100 * score['linear']:.1f} ridge {100 * score['ridge']:.1f}"
        for part, score in found["scores"].items()
    ]
    return f"{'; '.join(scores)} ({found['seconds']:.0f} s)"


def result_file(name: str, protocol: str, variant: str, seed: int) -> Path:
    return RESULTS / "study" / name / f"{protocol}-{variant}-{seed}.json"


def baseline(data: Path) -> None:
    """The same read-outs on coordinates, which learn nothing, for each preparation."""
    dataset = PreparedDataset.open(data)
    for name in PREPARATIONS:
        prepare = preparation(dataset.skeleton, 24, name, align=None if name == "none" else name)
        features = embed(Coordinates(), dataset, range(len(dataset)), prepare)
        for protocol in PROTOCOLS:
            if result_file(name, protocol, "coordinates", 0).exists():
                continue
            parts = dataset.splits[protocol]
            scored = {part: rows for part, rows in parts.items() if part == "train" or part.startswith("test")}
            result = score(features, dataset, protocol, scored, 0) | {"seconds": 0.0}
            save(result_file(name, protocol, "coordinates", 0), result)
            print(f"{name} {protocol} coordinates: {describe(result)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    everything = commands.add_parser("run", help="all runs that are not done yet")
    everything.add_argument("data", type=Path)
    everything.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    everything.add_argument("--jobs", type=int, default=os.cpu_count())
    single = commands.add_parser("one", help="one run")
    single.add_argument("data", type=Path)
    single.add_argument("name", choices=list(PREPARATIONS))
    single.add_argument("protocol", choices=PROTOCOLS)
    single.add_argument("variant", choices=list(VARIANTS))
    single.add_argument("seed", type=int)
    for each in (everything, single):
        each.add_argument("--work", type=Path, default=Path("out/study"), help="folder of the runs' checkpoints")
    attempt = commands.add_parser("try", help="one setting, scored on held-out subjects of the training part")
    attempt.add_argument("data", type=Path)
    attempt.add_argument("name")
    commands.add_parser("report", help="write docs/results.md and its figures")
    options, rest = parser.parse_known_args()
    if rest and options.command != "try":
        parser.error(f"unknown: {' '.join(rest)}")
    match options.command:
        case "run":
            run(options.data, options.work, options.jobs, options.seeds)
            baseline(options.data)
            report(RESULTS / "study")
        case "one":
            one(options.data, options.name, options.protocol, options.variant, options.seed, options.work)
        case "try":
            found = measure(options.data, rest, Path("out/study") / f"try-{options.name}", HELD_OUT)
            save(RESULTS / "tuning" / f"{options.name}.json", found)
            print(describe(found))
        case "report":
            report(RESULTS / "study")


if __name__ == "__main__":
    main()
