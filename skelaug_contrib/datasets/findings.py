"""What is true of a data set: lengths, who is missing, what stands still or jumps, what leaks from test to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skelaug.skeleton import Skeleton
from skelaug_contrib.datasets.checks import Ints
from skelaug_contrib.datasets.facts import Facts, Floats, facts_of
from skelaug_contrib.datasets.format import PreparedDataset
from skelaug_contrib.datasets.twins import TOLERANCE, exact_groups, near_groups

__all__ = ["BODIES", "JUMP", "SHORT", "Findings", "find", "inspect", "lengths"]

#: A clip with fewer frames is short: less than that has no motion to speak of.
SHORT = 4
#: A joint that moves further from a frame to the next has jumped: 1 m, 30 m/s at the Kinect's rate.
JUMP = 1.0
#: A body is so large in metres; in another unit it is not.
BODIES = (0.5, 3.0)
_SHOWN = 3  # names in a line of text

Splits = Mapping[str, Mapping[str, Ints]]

#: By kind of clip: how much it is of that kind, 0 if it is not; and what to say of such clips.
_KINDS: dict[str, tuple[Callable[[Facts], float], str]] = {
    "short": (lambda clip: clip.frames < SHORT, f"of fewer than {SHORT} frames"),
    "empty": (lambda clip: not clip.persons, "in which nobody is ever there"),
    "lost": (lambda clip: clip.lost * (clip.lost < clip.frames), "with frames without anybody, {lost} frames in all"),
    "times": (
        lambda clip: any(clip.lost + seen < clip.frames for seen in clip.persons),
        "with somebody who is there only at times",
    ),
    "frozen": (lambda clip: clip.frozen, "with frames that repeat the one before to the bit, {frozen} frames in all"),
    "jumps": (
        lambda clip: clip.jump * (clip.jump > JUMP),
        f"with a joint that moves more than {JUMP:g} m in a frame, {{jump:.2f}} m at most",
    ),
    "size": (
        lambda clip: clip.size * (not BODIES[0] <= clip.size <= BODIES[1]),
        f"with bodies of {{size}}, outside {BODIES[0]:g} … {BODIES[1]:g} m: is the metre their unit? If "
        f"not, prepare them again in metres (prepare bvh --scale)",
    ),
}


@dataclass(frozen=True, eq=False)
class Findings:
    """Of S clips.

    Attributes:
        names: of the clips.
        facts: of each clip.
        exact: int64 ``(S,)``: the first clip with the very same content, itself where there is no other.
        near: int64 ``(S,)``: the first clip of its group of near twins, see :mod:`~skelaug_contrib.datasets.twins`;
            exact twins are near.
        leaked: by protocol, the test clips that have a twin, exact or near, in the training part.
        repeated: by protocol, the test clips whose performance, that is label, subject and episode, is in the training
            part too: seen by another camera, usually. Nothing where the data do not say who acts and which episode.
        planar: the skeleton is one that is seen in images.
    """

    names: Sequence[str]
    facts: Sequence[Facts]
    exact: Ints
    near: Ints
    leaked: Mapping[str, Ints]
    repeated: Mapping[str, Ints]
    planar: bool = False

    def having(self, what: str) -> Ints:
        """Indices of the clips of a kind.

        Args:
            what: ``"short"``; ``"empty"``, nobody is ever there; ``"lost"``, nobody is there in some frames;
                ``"frozen"``, a frame repeats the one before; ``"jumps"``; ``"times"``, somebody is there at times only;
            ``"size"``, bodies are no metre or two large, and not seen in an image.
        """
        if what == "size" and self.planar:
            return np.empty(0, np.int64)
        return np.flatnonzero([_KINDS[what][0](clip) > 0 for clip in self.facts])

    def to_dict(self) -> dict[str, Any]:
        """As plain data, with the names of the clips."""

        def named(indices: Ints) -> list[str]:
            return [self.names[i] for i in indices]

        def groups(first: Ints) -> list[list[str]]:
            order = np.argsort(first, kind="stable")
            runs = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
            return [named(run) for run in runs if len(run) > 1]

        frames = [clip.frames for clip in self.facts]
        return {
            "clips": len(self.facts),
            "frames": {"min": min(frames), "median": float(np.median(frames)), "max": max(frames)},
            "short": named(self.having("short")),
            "empty": named(self.having("empty")),
            "lost_frames": {self.names[i]: self.facts[i].lost for i in self.having("lost")},
            "frozen_frames": {self.names[i]: self.facts[i].frozen for i in self.having("frozen")},
            "jumps": {self.names[i]: round(self.facts[i].jump, 4) for i in self.having("jumps")},
            "sizes": {self.names[i]: float(f"{self.facts[i].size:.4g}") for i in self.having("size")},
            "absent_at_times": named(self.having("times")),
            "exact_twins": groups(self.exact),
            "near_twins": [] if np.array_equal(self.near, self.exact) else groups(self.near),
            "leaked": {protocol: named(indices) for protocol, indices in self.leaked.items()},
            "repeated_performances": {protocol: len(indices) for protocol, indices in self.repeated.items()},
        }

    def lines(self, splits: Splits) -> list[str]:
        """As text, one line a matter; only what there is to say."""
        frames = np.array([clip.frames for clip in self.facts])
        said = [f"frames: {frames.min()} … {frames.max()}, median {np.median(frames):g}"]

        totals = {"lost": sum(clip.lost for clip in self.facts), "frozen": sum(clip.frozen for clip in self.facts)}
        most = max(clip.jump for clip in self.facts)
        for what, (much, text) in _KINDS.items():
            clips = np.array(sorted(self.having(what), key=lambda i: -much(self.facts[i])), np.int64)
            if len(clips):
                sizes = lengths([self.facts[i].size for i in clips])
                text = text.format(jump=most, size=sizes, **totals)
                said.append(f"{what}: {_count(len(clips))} {text}: {self._some(clips)}")
        said.append(f"twins: {self._twins()}")
        for protocol, parts in splits.items():
            test, leaks, twice = (len(v) for v in (parts["test"], self.leaked[protocol], self.repeated[protocol]))
            some = f": {self._some(self.leaked[protocol])}" if leaks else ""
            said.append(f"{protocol}: {leaks} of {test} test clips have a twin that trains{some}")
            if twice:
                said.append(
                    f"{protocol}: {twice} of {test} test clips show a performance (label, subject, episode) that "
                    f"trains too"
                )
        return said

    def _twins(self) -> str:
        alone = np.arange(len(self.facts))
        exact, near = int((self.exact != alone).sum()), int((self.near != alone).sum())
        apart = f"; {near - exact} more are within {TOLERANCE * 1000:g} mm of one" if near > exact else ""
        return f"{_count(exact)} equal to an earlier one to the bit{apart}"

    def _some(self, clips: Ints) -> str:
        shown = ", ".join(self.names[i] for i in clips[:_SHOWN])
        return shown + (f" and {len(clips) - _SHOWN} more" if len(clips) > _SHOWN else "")


def find(
    names: Sequence[str],
    facts: Sequence[Facts],
    poses: Sequence[Floats],
    read: Callable[[int], Floats],
    splits: Splits,
    performance: Ints | None,
    skeleton: Skeleton,
) -> Findings:
    """Findings from what is known of each clip.

    Args:
        names: of the clips.
        facts: of each clip.
        poses: of each clip, see :func:`~skelaug_contrib.datasets.facts.facts_of`.
        read: gives a clip's valid frames ``(C, T, V, M)``; called for those that look like twins.
        splits: by protocol, the clip indices of ``train`` and ``test``.
        performance: ``(S, 3)`` label, subject and episode, if they are known.
        skeleton: of the clips.
    """
    exact = exact_groups(facts)
    near = near_groups(exact, facts, poses, read)
    leaked = {protocol: _shared(near, parts) for protocol, parts in splits.items()}
    if performance is None:
        repeated = {protocol: np.empty(0, np.int64) for protocol in splits}
    else:
        _, which = np.unique(performance, axis=0, return_inverse=True)
        repeated = {protocol: _shared(which.reshape(-1), parts) for protocol, parts in splits.items()}
    return Findings(names, facts, exact, near, leaked, repeated, skeleton.planar)


def inspect(dataset: PreparedDataset, progress: Callable[[int, int], object] | None = None) -> Findings:
    """Look at every clip of a prepared data set; ``progress`` is called with the number of clips done and their total.

    Example:
        >>> import tempfile, skelaug
        >>> from skelaug_contrib.datasets import write
        >>> x = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], 4, 20).x.numpy()
        >>> x[3] = x[0]
        >>> about = {"length": [20] * 4, "label": [0] * 4, "names": list("abcd"), "class_names": ["wave"]}
        >>> splits = {"xsub": {"train": [0, 1], "test": [2, 3]}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     data = write(f"{folder}/x", x=x, skeleton=skelaug.skeletons["ntu25"], splits=splits, **about)
        ...     found = inspect(data)
        >>> found.leaked["xsub"].tolist()
        [3]
    """
    seen = []
    for i in range(len(dataset)):
        seen.append(facts_of(dataset.body(i)))
        if progress is not None:
            progress(i + 1, len(dataset))
    facts, poses = zip(*seen, strict=True)
    performance = None
    if dataset.subject is not None and dataset.episode is not None:
        performance = np.stack([dataset.label, dataset.subject, dataset.episode], 1)
    return find(dataset.names, facts, poses, dataset.body, dataset.splits, performance, dataset.skeleton)


def _shared(group: Ints, parts: Mapping[str, Ints]) -> Ints:
    """The test clips of which some training clip is in the same group."""
    test = parts["test"]
    return test[np.isin(group[test], group[parts["train"]])]


def lengths(metres: Sequence[float]) -> str:
    """The smallest and the largest, in a unit that is easy to read.

    Example:
        >>> lengths([0.009]), lengths([12, 14.26])
        ('0.9 cm', '12 m … 14.3 m')
    """
    ends = [f"{v:.3g} m" if v >= 0.5 else f"{100 * v:.3g} cm" for v in (min(metres), max(metres))]
    return ends[0] if ends[0] == ends[1] else " … ".join(ends)


def _count(n: int) -> str:
    return f"{n} clip" if n == 1 else f"{n} clips"
