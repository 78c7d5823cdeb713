"""Measure skelaug beside a NumPy loop and its peers, report, compare two runs or two commits."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

# Before NumPy is loaded: idle threads of its BLAS spin, and would take the cores from torch in the race.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

from benchmarks import commits, compare, peers, report, rows
from skelaug_contrib.bench import Row, markdown, to_json
from skelaug_contrib.bench.measure import machine
from skelaug_contrib.commands import bench as table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="measure; writes bench.json and the report")
    table.add_settings(run)
    run.add_argument("--peer", action="append", default=[], metavar="NAME[=PATH]", help="race another project's code: "
                     "aimclr, hiclr, ctrgcn, pyskl, mmaction2; PATH is your copy")  # fmt: skip
    run.add_argument("--only", nargs="+", choices=[*table.SECTIONS, *rows.PARTS], help="what to measure, not all")
    run.add_argument("--full", action="store_true", help="large batches too")
    run.add_argument(
        "--out", type=Path, default=Path("out/bench"), help="folder for bench.json, bench.md and the plots"
    )

    again = commands.add_parser("report", help="the Markdown table and the plots, from a JSON file")
    again.add_argument("json", type=Path)
    again.add_argument("--out", type=Path, default=Path("out/bench"), help="folder for bench.md and the plots")
    again.add_argument("--page", type=Path, help="also put the tables between the marks of this page")

    other = commands.add_parser("compare", help="two JSON files as ratios; exits with 1 if something got slower")
    other.add_argument("old", type=Path)
    other.add_argument("new", type=Path)
    other.add_argument("--tolerance", type=float, default=1.25, help="ratio up to which nothing is said")
    other.add_argument("--by-clone", action="store_true", help="divide by x.clone()'s ratio: for different machines")

    commits.add_arguments(commands.add_parser("commits", help=commits.__doc__, description=commits.__doc__))

    options = parser.parse_args(arguments)
    if options.command == "commits":
        return commits.main(options)
    if options.command == "report":
        content = json.loads(options.json.read_text(encoding="utf-8"))
        if options.page:
            report.fill(options.page, content)
        return _report(content, options.out)
    if options.command == "compare":
        old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (options.old, options.new))
        return compare.main(old, new, options.tolerance, by_clone=options.by_clone)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        loaded = [peers.load(asked) for asked in options.peer]
    except peers.PeerError as error:
        print(error, file=sys.stderr)
        return 2
    if options.threads:
        torch.set_num_threads(options.threads[0])
    about = machine(options.device)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    for peer in loaded:
        print(*(f"{peer.name}: {note}" for note in peer.notes), sep="\n")
    wanted = options.only or [*table.SECTIONS, *rows.PARTS]
    measured: list[Row] = []
    for section in [name for name in table.SECTIONS if name in wanted]:
        measured += _shown(list(table.rows(section, options)))
    setting, encoder = table.settings(options)[0], options.encoder or "paper"
    bench = rows.Bench(setting, max(2, options.rounds), options.full, loaded, encoder)
    for part in [name for name in rows.PARTS if name in wanted]:
        for race in rows.PARTS[part](bench):
            measured += _shown(race)
    content = to_json(measured, options.device, peers={peer.name: list(peer.notes) for peer in loaded})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return _report(content, options.out)


def _shown(measured: list[Row]) -> list[Row]:
    print(f"\n{markdown(measured)}", flush=True)
    return measured


def _report(content: dict[str, Any], out: Path) -> int:
    for path in report.write(content, out):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
