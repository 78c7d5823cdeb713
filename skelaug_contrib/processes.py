"""Worker processes that do not outlive whoever started them."""

from __future__ import annotations

import multiprocessing
import os
import threading

__all__ = ["end_with_parent"]


def end_with_parent(_worker: int = 0) -> None:
    """Call first thing in a worker: it then ends when the process that started it does, killed ones included.

    A worker that a fork server made is the server's child, and so cannot see the process that it works for go.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
