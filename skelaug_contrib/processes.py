"""Worker processes that do not outlive whoever started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

__all__ = ["end_with_parent"]

_EVERY = 0.2  # seconds between two looks


def end_with_parent(_worker: int = 0) -> None:
    """Call first thing in a worker: it then ends when the process that started it does, even if that was killed.

    A worker of a fork server is the server's child, so that it has to watch the pipe that multiprocessing gives it for
    this purpose. joblib gives its workers none; they are children of the process that started them.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        if getattr(parent, "_sentinel", None) is not None:
            parent.join()
        while os.getppid() == parent.pid:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
