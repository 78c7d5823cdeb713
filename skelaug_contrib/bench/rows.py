"""Under which setting something was measured, and what was found: the rows of the table and of the JSON file."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from skelaug.skeleton import Skeleton, skeletons
from skelaug_contrib.bench.measure import META, launches, machine, peak_bytes, race, ratio

__all__ = ["Row", "Setting", "markdown", "measure", "to_json"]


@dataclass(frozen=True)
class Setting:
    """The batch that is worked on, ``(batch, 3, frames, len(skeleton), persons)``, and where."""

    batch: int = 128
    frames: int = 50
    skeleton: Skeleton = field(default_factory=lambda: skeletons["ntu25"])
    persons: int = 2
    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def data(self, device: torch.device | None = None) -> Tensor:
        """Everybody present; the same numbers each time, on the setting's device or another."""
        shape = (self.batch, 3, self.frames, len(self.skeleton), self.persons)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(self.dtype)
        return x.to(self.device if device is None else device)

    def describe(self) -> dict[str, Any]:
        """As the JSON file holds it, with the number of threads."""
        return {
            "batch": self.batch,
            "frames": self.frames,
            "joints": len(self.skeleton),
            "persons": self.persons,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
        }


@dataclass(frozen=True)
class Row:
    """One thing measured.

    Attributes:
        section: which part of the benchmark.
        name: what was timed.
        setting: plain values, see :meth:`Setting.describe`; with the name they tell rows apart.
        median: seconds a call.
        low: first quartile.
        high: third quartile.
        rounds: number of times that it had its turn.
        over_clone: median ratio to ``x.clone()`` in the same race, where there was one.
        peak_mib: the most memory held at once beside the inputs.
        launches: kernels that the call launches on an accelerator.
    """

    section: str
    name: str
    setting: dict[str, Any]
    median: float
    low: float
    high: float
    rounds: int
    over_clone: float | None = None
    peak_mib: float | None = None
    launches: int | None = None

    @classmethod
    def of(cls, section: str, name: str, setting: Mapping[str, Any], seconds: Sequence[float], **more: Any) -> Row:
        """A row from what :func:`~skelaug_contrib.bench.measure.race` found of one contestant."""
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(section, name, dict(setting), median, low, high, len(seconds), **more)

    @property
    def key(self) -> tuple[Any, ...]:
        """What two files' rows must share to be of the same thing."""
        return (self.section, self.name, *sorted(self.setting.items()))


def measure(
    section: str,
    contestants: Mapping[str, Callable[[], Any]],
    setting: Mapping[str, Any],
    device: torch.device,
    rounds: int,
    *,
    clone: Callable[[], Any] | None = None,
    on_meta: Mapping[str, Callable[[], Any]] | None = None,
    memory: bool = False,
) -> list[Row]:
    """Race contestants and say what each costs.

    ``clone`` joins the race, to give the ratios to it. ``on_meta`` are the same calls on the device ``meta``, to
    count launches where there is no GPU. With ``memory`` the peak is measured too.
    """
    times = race({**contestants, **({"": clone} if clone else {})}, rounds, device)
    rows = []
    for name, call in contestants.items():
        more: dict[str, Any] = {}
        if clone:
            more["over_clone"] = ratio(times[name], times[""])
        if memory and device.type in ("cpu", "cuda"):
            more["peak_mib"] = peak_bytes(call, device) / 2**20
        if device.type == "cuda":
            more["launches"] = launches(call, device).total()
        elif on_meta and name in on_meta:
            more["launches"] = launches(on_meta[name], META).total()
        rows.append(Row.of(section, name, setting, times[name], **more))
    return rows


def to_json(rows: Iterable[Row], device: torch.device, **more: Any) -> dict[str, Any]:
    """The file that the reports, the plots and the comparison read."""
    return {"machine": machine(device), **more, "rows": [asdict(row) for row in rows]}


def markdown(rows: Sequence[Row]) -> str:
    """A table of rows of one section; settings that all share stand in a line above it, as do none that vary."""
    names = list(dict.fromkeys(name for row in rows for name in row.setting))
    shared = {n: rows[0].setting.get(n) for n in names if len({str(row.setting.get(n)) for row in rows}) == 1}
    varying = [n for n in names if n not in shared]
    head = [rows[0].section, *varying, "ms", "quartiles", "× clone", "samples/s", "peak MiB", "launches"]
    lines = [[row.name, *(_cell(row.setting.get(n)) for n in varying), *_numbers(row)] for row in rows]
    used = [i for i in range(len(head)) if i <= len(varying) or any(line[i] for line in lines)]
    table = [head, ["---" if i <= len(varying) else "---:" for i in range(len(head))], *lines]
    above = ", ".join(f"{name} {_cell(value)}" for name, value in shared.items() if value is not None)
    return "\n".join([f"{above}", "", *("| " + " | ".join(line[i] for i in used) + " |" for line in table)])


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


def _numbers(row: Row) -> list[str]:
    samples = row.setting.get("batch")
    return [
        f"{row.median * 1e3:.3g}" if row.median < 1 else f"{row.median * 1e3:.0f}",
        f"{row.low * 1e3:.3g} – {row.high * 1e3:.3g}",
        "" if row.over_clone is None else f"{row.over_clone:.1f}",
        f"{samples / row.median:,.0f}".replace(",", " ") if samples else "",
        "" if row.peak_mib is None else f"{row.peak_mib:.1f}",
        "" if row.launches is None else str(row.launches),
    ]
