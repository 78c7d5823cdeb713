"""The record of a run: a JSON object a line, and the same numbers for TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from skelaug_contrib import checkpoint

__all__ = ["RunLog", "cut"]


class RunLog:
    """Appends to ``log.jsonl`` and ``tensorboard/`` of a run, from a step on.

    Args:
        folder: of the run.
        step: the run goes on from here: lines of later steps, which a run that was cut off left, are removed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / "log.jsonl"
        if path.exists():
            checkpoint.write(path, cut(path.read_bytes(), step))
        self._file = path.open("a", encoding="utf-8")
        self._board: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, **values: Any) -> None:
        """A line: the step and what was found there, numbers or lists of numbers."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            if isinstance(value, list):
                for i, each in enumerate(value):
                    self._board.add_scalar(f"{name}/{i}", each, step)
            else:
                self._board.add_scalar(name, value, step)

    def sync(self) -> None:
        """Bring all lines to the disk; a checkpoint must not outlive the lines before it."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """End both records."""
        self._file.close()
        self._board.close()


def cut(log: bytes, step: int) -> bytes:
    r"""The whole lines of a log up to a step: the line that was being written when the run was killed goes, too.

    Example:
        >>> cut(b'{"step": 1}\n{"step": 2}\n{"ste', step=1)
        b'{"step": 1}\n'
    """
    kept = []
    for line in log.splitlines(keepends=True):
        try:
            late = not line.endswith(b"\n") or json.loads(line)["step"] > step
        except (ValueError, TypeError, KeyError):
            late = True
        if late:
            break
        kept.append(line)
    return b"".join(kept)
