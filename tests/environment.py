"""Run in a process of its own: every case inside a foreign environment first, then outside; prints a digest of each.

``python tests/environment.py meta`` sets torch's default device for the first calls, ``float64`` its default dtype, and
``plain`` nothing. The digests must not depend on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import traceback
from typing import Any

import torch
from cases import CASES, Case, generator, keys, make_batch, make_x
from promises import acts_on_graph, bits
from torch.utils import _pytree as pytree

from skelaug import SkeletonBatch

ALLOWED = (torch.float32, torch.int64, torch.bool)


def digest(*results: Any) -> str:
    """A short name of all bits, dtypes and shapes."""
    made = hashlib.blake2b(digest_size=8)
    for leaf in pytree.tree_leaves(results):
        made.update(f"{leaf.dtype} {tuple(leaf.shape)} {leaf.device}".encode())
        made.update(bits(leaf.detach()).numpy().tobytes())
    return made.hexdigest()


@contextlib.contextmanager
def environment(name: str) -> Any:
    """What the calls run in."""
    if name == "plain":
        yield
    elif name == "meta":
        with torch.device("meta"):
            yield
    else:
        torch.set_default_dtype(getattr(torch, name))
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


def run(case: Case, name: str) -> str:
    """One case: its results in the environment and after it; a fresh transform each time."""
    x, batch, k = make_x(), make_batch(), keys(5)
    half = make_batch(dtype=torch.float16)
    plain = [batch] if acts_on_graph(case) else [x, batch]
    results = []
    for inside in (True, False):
        transform, again = case.make(), generator()
        with environment(name) if inside else contextlib.nullcontext():
            found: list[Any] = []
            for one in plain:
                for draws in ({"keys": k}, {"generator": again}):
                    params = transform.sample(one, **draws)
                    wrong = {v.dtype for v in pytree.tree_leaves(params)} - set(ALLOWED)
                    if wrong:
                        raise AssertionError(f"params are {wrong}")
                    found += [params, transform.replay(one, params), transform(one, keys=k)]
            found.append(transform(half, keys=k))
            found.append(SkeletonBatch(x))
            results.append(digest(*found))
    if results[0] != results[1]:
        raise AssertionError(f"the environment changed the result, or broke what came after: {results}")
    return results[0]


def main(name: str) -> None:
    """Print a line a case: its name, a tab, and its digest or what went wrong."""
    for case in CASES:
        try:
            print(case.name, run(case, name), sep="\t")
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = str(error).splitlines()[0] if str(error) else ""
            print(case.name, f"FAILED {type(error).__name__}: {text} ({place.filename}:{place.lineno})", sep="\t")


if __name__ == "__main__":
    main(sys.argv[1])
