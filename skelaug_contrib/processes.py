"""Worker processes that do not outlive whoever started them."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["end_with_parent"]

_EVERY = 0.2  # seconds between two looks


def end_with_parent(_worker: int = 0) -> None:
    """Call first thing in a worker: it then ends when its parent process does, even if that was killed.

    A worker of a fork server is the server's child, and the server ends when the process that started it does.
    """
    parent = os.getppid()

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
