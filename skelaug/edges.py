"""The tree in somebody's list of edges: which edges are bones, which close circles, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Edge", "check_edges", "spanning_tree"]

Edge = tuple[int, int]


def check_edges(who: str, ends: Sequence[tuple[int, ...]], v: int) -> list[Edge]:
    """The edges, if all lead to joints below ``v``."""
    edges = [(a, b) for a, b in ends]
    joints = [joint for edge in edges for joint in edge]
    if not joints or 0 <= min(joints) <= max(joints) < v:
        return edges
    if min(joints) == 1 and max(joints) == v:
        raise ValueError(f"{who}: edges {_from_one(edges)}")
    raise ValueError(f"{who}: edges must connect joints 0 … {v - 1}, got {sorted(edges)}")


def spanning_tree(who: str, edges: Sequence[Edge], v: int, root: int) -> tuple[tuple[int, ...], list[Edge]]:
    """The parents of ``v`` joints, and the edges that close circles.

    Every joint keeps one of the shortest ways to the root. Of several it keeps that whose joints were reached first,
    lower numbers before higher ones, whatever the order of the edges.

    Args:
        who: for the message of an error.
        edges: pairs of joints below ``v``, in any order and direction; an edge that is there twice counts once.
        v: number of joints.
        root: where the tree hangs.

    Raises:
        ValueError: some joint has no way to the root.

    Example:
        >>> spanning_tree("x", [(0, 1), (1, 2), (2, 0), (2, 3)], 4, root=0)
        ((0, 0, 0, 2), [(1, 2)])
    """
    from scipy.sparse.csgraph import breadth_first_order, connected_components  # here: it takes long to import

    connections = np.zeros((v, v))
    ends = np.array(edges, dtype=int).reshape(-1, 2)
    connections[ends, ends[:, ::-1]] = 1  # both ways, so that neither order nor direction says who is reached first
    reached, found = breadth_first_order(connections, root, directed=False)
    if len(reached) < v:
        count, tree_of = connected_components(connections, directed=False)
        trees = [np.flatnonzero(tree_of == tree).tolist() for tree in range(count)]
        raise ValueError(f"{who}: edges {_apart(edges, [tree for tree in trees if root not in tree], root)}")
    found[root] = root
    bones = {frozenset((joint, parent)) for joint, parent in enumerate(found.tolist()) if joint != parent}
    left_out = {frozenset(edge): edge for edge in reversed(edges) if frozenset(edge) not in bones}
    return tuple(found.tolist()), sorted(left_out.values())


def _apart(edges: Sequence[Edge], others: list[list[int]], root: int) -> str:
    """What to do about trees that no edge joins to that of the root."""
    joints = {joint for edge in edges for joint in edge}
    lone = {joint for tree in others for joint in tree} - joints
    if joints and 0 not in joints and (root == 0 or lone == {0}):
        return _from_one(edges)
    listed = _few([_run(tree) for tree in others])
    more = [(root, tree[0]) for tree in others]
    return (
        f"must form one tree: no edge leads from root {root} to joints {listed}. Join each part by an edge, which is a "
        f"bone then, as in edges + [{_few(more)}]"
    )


def _from_one(edges: Sequence[Edge]) -> str:
    a, b = edges[0]
    return (
        f"seem to count joints from 1: none has joint 0. Joints count from 0 here, so take 1 off: "
        f"[(a - 1, b - 1) for a, b in edges], the first ({a - 1}, {b - 1})"
    )


def _run(tree: list[int]) -> str:
    """Some joints, in order, in short."""
    if len(tree) > 1 and tree[-1] - tree[0] == len(tree) - 1:
        return f"{tree[0]} … {tree[-1]}"
    return _few(tree) if len(tree) == 1 else f"[{_few(tree)}]"


def _few(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:4])) + (", …" if len(items) > 4 else "")
