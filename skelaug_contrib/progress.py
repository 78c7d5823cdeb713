"""How far a run is: a bar on a terminal, else a line now and then; and how Ctrl-C keeps what was done."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from tqdm import tqdm

__all__ = ["Progress", "Stopped", "duration", "watching"]

_EVERY = 30.0  # seconds between two lines


class Progress:
    """A bar on stderr where that is a terminal; else lines by ``say``, at most one in 30 seconds.

    Args:
        total: steps of the run.
        step: steps that are done already.
        say: prints a line; None prints none.
    """

    def __init__(self, total: int, step: int, say: Callable[[str], None] | None) -> None:
        self._total, self._step, self._first = total, step, step
        self._start = time.monotonic()
        self._said = float("-inf")
        terminal = sys.stderr.isatty()
        self._say = None if terminal else say
        self._bar = tqdm(total=total, initial=step, unit=" steps", disable=not terminal, file=sys.stderr)

    def update(self) -> None:
        """One more step is done."""
        self._step += 1
        self._bar.update()

    def measured(self, epoch: int, loss: float) -> None:
        """The loss of the last step is known."""
        self._bar.set_postfix(epoch=epoch, loss=f"{loss:.3f}")
        now = time.monotonic()
        if self._say is None or now - self._said < _EVERY:
            return
        self._said = now
        each = (now - self._start) / (self._step - self._first)
        left = duration(each * (self._total - self._step))
        self._say(
            f"step {self._step} of {self._total} (epoch {epoch}): loss {loss:.3f}, {each:.2g} s a step, {left} left"
        )

    def close(self) -> None:
        """Leave the bar where it is."""
        self._bar.close()


def duration(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> duration(42.3), duration(200), duration(8000)
        ('42 s', '3 min 20 s', '2 h 13 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    return f"{minutes} min {whole % 60} s" if hours == 0 else f"{hours} h {minutes % 60} min"


class Stopped(KeyboardInterrupt):
    """A signal ended the run after a step; its checkpoint is of that step.

    Attributes:
        code: exit code of a command that ended so: 128 and the number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.code = 128 + number


@contextlib.contextmanager
def watching() -> Iterator[Callable[[], int | None]]:
    """Wait with Ctrl-C and SIGTERM: the function that this gives says which of them came, or None.

    A second signal acts at once, as usual. Outside the main thread nothing changes.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(each)
            if handler is not None and handler is not signal.SIG_IGN:  # ignored by nohup, or set outside Python
                before[each] = handler
                signal.signal(each, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        restore()
