"""Does HiCLR's claim hold on NW-UCLA? Pretrain every method alike, evaluate, and write ``docs/results.md``.

    skelaug prepare npz nw_ucla.npz out/nw_ucla
    python -m benchmarks.study run out/nw_ucla       # every variant, seed and protocol; skips what is finished
    python -m benchmarks.study try out/nw_ucla NAME --optimizer.lr 0.05    # one setting, scored on held-out subjects
    python -m benchmarks.study table                 # docs/results.md, from the runs that are there

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
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import skelaug
from skelaug_contrib import checkpoint
from skelaug_contrib.commands.pretrain import parse
from skelaug_contrib.config import to_dict
from skelaug_contrib.datasets import EpochBatches, PreparedDataset, loader, preparation, split
from skelaug_contrib.evaluate import Coordinates, accuracy, embed, knn, linear_probe, ridge
from skelaug_contrib.train import build_model, pretrain

RESULTS = Path(__file__).parent / "results"
REPORT = Path(__file__).parents[1] / "docs" / "results.md"
SEEDS = (0, 1, 2)
HELD_OUT = 2  # validation subjects of ``try``

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
RIDGE = {
    "ridge regression on coordinates": lambda skeleton: Coordinates(),
    "ridge regression on coordinates, clips turned to the shoulders": Coordinates,
}
SCORES = {"knn": "k-NN", "linear": "linear", "ridge": "ridge"}
NAMES = {
    "untrained": "untrained encoder",
    "skeletonclr": "SkeletonCLR: basic view alone",
    "naive-mask": "naive: basic + normal + Random Mask in plain InfoNCE",
    "aimclr": "AimCLR-style: three views, all learn from the first",
    "hiclr-2": "HiCLR, k = 2: basic, normal",
    "hiclr-mask": "HiCLR, k = 3: + Random Mask",
    "hiclr-edges": "HiCLR, k = 3: + Drop/Add Edges",
    "hiclr-adain": "HiCLR, k = 3: + SkeleAdaIN",
    "hiclr-all": "HiCLR, k = 3: + all three",
    "hiclr-mask-symmetric": "HiCLR, k = 3: + Random Mask, symmetric",
    "hiclr-mask-reversed": "HiCLR, k = 3: + Random Mask, reversed",
}


def measure(data: Path, settings: list[str], out: Path, validation: int = 0, *, trained: bool = True) -> dict[str, Any]:
    """Pretrain with small.yaml and these settings, then score k-NN and the linear probe."""
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
    parts = split(dataset, config.data.protocol, validation_subjects=validation or None)
    prepare = preparation(dataset.skeleton, config.data.frames, config.data.center, config.data.stream)
    if not trained:
        calibrate(encoder, dataset, parts["train"], prepare)
    scored = ["validation"] if validation else [part for part in parts if part.startswith("test")]
    held = split(dataset, config.data.protocol, validation_subjects=HELD_OUT)
    features, labels = embed(encoder, dataset, range(len(dataset)), prepare), torch.from_numpy(dataset.label)
    train = parts["train"]
    probe = linear_probe(features[train], labels[train], seed=config.seed).model
    strength = choose_strength(features, labels, held)

    def score(part: str) -> dict[str, float]:
        x, y = features[parts[part]], labels[parts[part]]
        return {
            "knn": accuracy(knn(features[train], labels[train], x), y),
            "linear": accuracy(probe(x).argmax(1), y),
            "ridge": accuracy(ridge(features[train], labels[train], x, strength).argmax(1), y),
        }

    return {
        "config": to_dict(config),
        "scores": {part: score(part) for part in scored},
        "ridge_strength": strength,
        **course,
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
        "skelaug": skelaug.__version__,
        "machine": platform.machine(),
    }


def choose_strength(features: torch.Tensor, labels: torch.Tensor, held: dict[str, Any]) -> float:
    """The penalty of a ridge regression that does best on the held-out subjects."""
    train, validation = held["train"], held["validation"]

    def score(strength: float) -> float:
        predictions = ridge(features[train], labels[train], features[validation], strength).argmax(1)
        return accuracy(predictions, labels[validation])

    return max((0.01, 0.1, 1.0, 10.0, 100.0), key=score)


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
    found["config"]["data"]["path"] = "nw_ucla"
    text = json.dumps(found, indent=2) + "\n"
    checkpoint.write(path, text.encode())


def run(data: Path, protocols: list[str], variants: list[str], seeds: list[int], work: Path, jobs: int) -> None:
    """Do what is not done yet, ``jobs`` runs at a time, one thread each."""
    todo = [
        (protocol, variant, seed)
        for seed in seeds
        for protocol in protocols
        for variant in variants
        if not result_file(protocol, variant, seed).exists()
    ]
    print(f"{len(todo)} runs to do")
    threads = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        calls = {}
        for protocol, variant, seed in todo:
            command = [sys.executable, "-m", "benchmarks.study", "one", str(data), protocol, variant, str(seed)]
            command += ["--work", str(work)]
            call = pool.submit(subprocess.run, command, env=threads, check=True, capture_output=True, text=True)
            calls[call] = f"{protocol} {variant} seed {seed}"
        for done in concurrent.futures.as_completed(calls):
            try:
                print(f"{calls[done]}: {done.result().stdout.strip()}", flush=True)
            except subprocess.CalledProcessError as error:
                pool.shutdown(cancel_futures=True)
                sys.exit(f"{calls[done]} failed:\n{error.stderr}")


def one(data: Path, protocol: str, variant: str, seed: int, work: Path) -> None:
    settings = VARIANTS[variant]
    common = ["--seed", str(seed), "--data.protocol", protocol]
    out = work / f"{protocol}-{variant}-{seed}"
    found = measure(data, [*common, *(settings or [])], out, trained=settings is not None)
    save(result_file(protocol, variant, seed), found)
    print(describe(found))


def describe(found: dict[str, Any]) -> str:
    """The scores in one line."""
    scores = [
        f"{part} k-NN {100 * score['knn']:.1f} linear {100 * score['linear']:.1f} ridge {100 * score['ridge']:.1f}"
        for part, score in found["scores"].items()
    ]
    return f"{'; '.join(scores)} ({found['seconds']:.0f} s)"


def result_file(protocol: str, variant: str, seed: int) -> Path:
    return RESULTS / "study" / f"{protocol}-{variant}-{seed}.json"


def baseline(data: Path) -> None:
    """Ridge regression on coordinates, as they are and with clips turned to the shoulders; strength by validation."""
    dataset = PreparedDataset.open(data)
    prepare = preparation(dataset.skeleton, 24, "clip")
    found: dict[str, Any] = {}
    for name, encoder in RIDGE.items():
        for protocol in dataset.splits:
            parts = dataset.splits[protocol]
            x, y = (
                embed(encoder(dataset.skeleton), dataset, range(len(dataset)), prepare),
                torch.from_numpy(dataset.label),
            )
            strength = choose_strength(x, y, split(dataset, protocol, validation_subjects=HELD_OUT))
            found.setdefault(name, {})[protocol] = {"strength": strength} | {
                part: accuracy(ridge(x[parts["train"]], y[parts["train"]], x[rows], strength).argmax(1), y[rows])
                for part, rows in parts.items()
                if part.startswith("test")
            }
    checkpoint.write(RESULTS / "study" / "ridge.json", (json.dumps(found, indent=2) + "\n").encode())
    print(found)


def table(protocol: str, parts: list[str]) -> list[str]:
    """A Markdown table: mean ± standard deviation over the seeds."""
    heads = [f"{score} {part}" for part in parts for score in SCORES.values()]
    lines = [f"| method | {' | '.join(heads)} | seeds |", "|---|" + "---|" * (len(heads) + 1)]
    ridge_file = RESULTS / "study" / "ridge.json"
    if ridge_file.exists():
        for name, found in json.loads(ridge_file.read_text(encoding="utf-8")).items():
            cells = [cell for part in parts for cell in ("", "", f"{100 * found[protocol][part]:.1f}")]
            lines.append(f"| {name} | {' | '.join(cells)} | |")
    for variant, name in NAMES.items():
        files = sorted((RESULTS / "study").glob(f"{protocol}-{variant}-[0-9]*.json"))
        found = [json.loads(file.read_text(encoding="utf-8"))["scores"] for file in files]
        if found:
            cells = [spread([run[part][key] for run in found]) for part in parts for key in SCORES]
            lines.append(f"| {name} | {' | '.join(cells)} | {len(found)} |")
    return lines


def spread(values: list[float]) -> str:
    percent = [100 * value for value in values]
    return f"{statistics.mean(percent):.1f}" + (f" ± {statistics.stdev(percent):.1f}" if len(percent) > 1 else "")


def report() -> None:
    """Put the tables into the document, between its marks."""
    text = REPORT.read_text(encoding="utf-8")
    for protocol, parts in (("xview", ["test_clean", "test"]), ("xsub", ["test"])):
        begin, end = f"<!-- {protocol}: made by benchmarks/study.py -->", f"<!-- end {protocol} -->"
        before, rest = text.split(begin)
        text = before + begin + "\n\n" + "\n".join(table(protocol, parts)) + "\n\n" + end + rest.split(end)[1]
    REPORT.write_text(text, encoding="utf-8")
    print(f"wrote {REPORT}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    everything = commands.add_parser("run", help="all runs that are not done yet")
    everything.add_argument("data", type=Path)
    everything.add_argument("--protocols", nargs="+", default=["xview", "xsub"])
    everything.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    everything.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    everything.add_argument("--jobs", type=int, default=os.cpu_count())
    single = commands.add_parser("one", help="one run")
    single.add_argument("data", type=Path)
    single.add_argument("protocol")
    single.add_argument("variant", choices=list(VARIANTS))
    single.add_argument("seed", type=int)
    for each in (everything, single):
        each.add_argument("--work", type=Path, default=Path("out/study"), help="folder of the runs' checkpoints")
    attempt = commands.add_parser("try", help="one setting, scored on held-out subjects of the training part")
    attempt.add_argument("data", type=Path)
    attempt.add_argument("name")
    commands.add_parser("ridge", help="the baseline on coordinates").add_argument("data", type=Path)
    commands.add_parser("table", help="write docs/results.md")
    options, rest = parser.parse_known_args()
    if rest and options.command != "try":
        parser.error(f"unknown: {' '.join(rest)}")
    match options.command:
        case "run":
            baseline(options.data)
            run(options.data, options.protocols, options.variants, options.seeds, options.work, options.jobs)
            report()
        case "one":
            one(options.data, options.protocol, options.variant, options.seed, options.work)
        case "try":
            found = measure(options.data, rest, Path("out/study") / f"try-{options.name}", HELD_OUT)
            save(RESULTS / "tuning" / f"{options.name}.json", found)
            print(describe(found))
        case "ridge":
            baseline(options.data)
        case "table":
            report()


if __name__ == "__main__":
    main()
