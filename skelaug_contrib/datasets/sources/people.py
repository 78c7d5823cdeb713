"""From what a sensor saw in each frame to people: who is who, who is noise, and who acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skelaug_contrib.datasets import holes
from skelaug_contrib.datasets.sources.source import Fault, Recording

__all__ = ["Track", "choose", "clip"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = float(np.finfo(np.float32).max)
SHORT = 11  # frames: a body seen no longer is noise, if there are others
WIDE, WIDE_SHARE = 0.8, 0.69754  # a body wider than 0.8 of its height in such a share of its frames is noise: a table
NEAR = 3  # frames that two poses are apart, at most, to be compared
JUMP = 0.3  # metres from one frame to the next, as the mean of the joints: 9 m/s, nobody moves so
REACH, LOST = 0.5, 15  # metres and frames between the end of a body and the start of another that continues it


@dataclass(eq=False)
class Track:
    """One body, as the sensor followed it.

    Attributes:
        name: the sensor's own name of it.
        frames: ``(n,)``, ascending: where it is seen.
        points: ``(n, V, 3)``.
    """

    name: str
    frames: Ints
    points: Floats

    def joined(self, other: Track) -> Track:
        """Both as one, under this one's name."""
        order = np.argsort(frames := np.concatenate([self.frames, other.frames]), kind="stable")
        return Track(self.name, frames[order], np.concatenate([self.points, other.points])[order])

    @property
    def motion(self) -> float:
        """The variance of its joints' coordinates, added up."""
        return float(sum(self.points[..., axis].var() for axis in range(self.points.shape[-1])))

    @property
    def wide(self) -> npt.NDArray[np.bool_]:
        """``(n,)``, whether it is wider than a body."""
        x, y = self.points[..., 0], self.points[..., 1]
        wide: npt.NDArray[np.bool_] = x.max(1) - x.min(1) > WIDE * (y.max(1) - y.min(1))
        return wide


def choose(tracks: list[Track], frames: int, joints: int, persons: int = 2) -> tuple[Floats, list[str]]:
    """At most ``persons`` people, the one who moves most first, from all bodies that the sensor saw.

    In this order: a body in which a joint is not finite is absent in that frame; where the sensor exchanges two bodies
    from one frame to the next, they are changed back; a body that continues another's place and pose is the same
    person. Of several, those of at most 11 frames are noise, and those that are wider than 0.8 of their height in
    69.754 % of their frames; the last one is never dropped. The others come by motion (the variance of all
    coordinates, without the wide frames). Who is never there together with the first is taken for the first, whom the
    sensor had lost; likewise with the second; others are left out.

    Args:
        tracks: of bodies, each seen at least once.
        frames: T of the recording.
        joints: V.
        persons: M.

    Returns:
        float64 ``(T, M, V, 3)``, 0 where somebody is absent, and what was left out or mended.

    Source: the rules of length, spread and motion, with their numbers, are those that the field prepares NTU RGB+D by.
    """
    notes: list[str] = []
    tracks = [kept for track in tracks if (kept := _finite(track, notes)) is not None]
    if len(tracks) > 1:
        _exchange_back(tracks, notes)
        tracks = _continue(tracks, notes)
        tracks = _drop_noise(tracks, notes)
        tracks = _merge(tracks, persons, notes)
    people = np.zeros((frames, persons, joints, 3))
    for person, track in enumerate(tracks):
        people[track.frames, person] = track.points
    return people, notes


def _finite(track: Track, notes: list[str]) -> Track | None:
    # One that is 0 all over is how some sets write an absent body, no body at the origin.
    there = (np.abs(track.points) <= LARGEST).all((1, 2))
    if not there.all():
        notes.append(f"body {track.name}: a joint is not finite in {_frames(track.frames[~there])}, absent there")
    there &= track.points.any((1, 2))
    return Track(track.name, track.frames[there], track.points[there]) if there.any() else None


def _exchange_back(tracks: list[Track], notes: list[str]) -> None:
    """Undo the sensor's exchanges of two bodies, pair by pair, in place."""
    for i, a in enumerate(tracks):
        for b in tracks[i + 1 :]:
            common, at, bt = np.intersect1d(a.frames, b.frames, assume_unique=True, return_indices=True)
            if len(common) < 2:
                continue
            pa, pb = a.points[at], b.points[bt]
            straight = _distance(pa[1:], pa[:-1]) + _distance(pb[1:], pb[:-1])
            crossed = _distance(pa[1:], pb[:-1]) + _distance(pb[1:], pa[:-1])
            swap = (straight > 2 * JUMP) & (crossed < straight / 2) & (np.diff(common) <= NEAR)
            if not swap.any():
                continue
            at_frames = common[1:][swap]
            # From an exchange to the next, each of them has the other's frames.
            a_other, b_other = (np.searchsorted(at_frames, t.frames, "right") % 2 == 1 for t in (a, b))
            parts = [Track(t.name, t.frames[m], t.points[m]) for t, o in ((a, a_other), (b, b_other)) for m in (~o, o)]
            for track, kept, got in ((a, parts[0], parts[3]), (b, parts[2], parts[1])):
                both = kept.joined(got)
                track.frames, track.points = both.frames, both.points
            notes.append(f"bodies {a.name} and {b.name}: exchanged in {_frames(at_frames)}, changed back")


def _distance(a: Floats, b: Floats) -> Floats:
    """Mean over joints of the way between them."""
    distance: Floats = np.sqrt(((a - b) ** 2).sum(-1)).mean(-1)
    return distance


def _continue(tracks: list[Track], notes: list[str]) -> list[Track]:
    """Join pieces of one person: one begins soon after another ends, where that one was."""
    pieces = sorted(tracks, key=lambda track: int(track.frames[0]))
    done: list[Track] = []
    for piece in pieces:
        start = int(piece.frames[0])
        near = [
            (float(_distance(piece.points[:1], track.points[-1:])[0]), i)
            for i, track in enumerate(done)
            if 0 < start - track.frames[-1] <= LOST
        ]
        distance, i = min(near, default=(REACH, -1))
        if distance < REACH:
            notes.append(f"body {piece.name}: continues body {done[i].name} from frame {start}")
            done[i] = done[i].joined(piece)
        else:
            done.append(piece)
    return done


def _drop_noise(tracks: list[Track], notes: list[str]) -> list[Track]:
    """Without short and wide bodies, by motion; the last one stays, whatever it is."""
    motions = {track: track.motion for track in tracks}
    tracks = sorted(tracks, key=lambda track: motions[track], reverse=True)
    kept = [track for track in tracks if len(track.frames) > SHORT] or tracks[:1]
    notes += [
        f"body {track.name}: {len(track.frames)} frames, too short"
        for track in tracks
        if len(track.frames) <= SHORT and track not in kept
    ]
    upright: list[tuple[float, Track]] = []
    for i, track in enumerate(kept):
        wide = track.wide
        others = upright or kept[i + 1 :]
        if wide.mean() >= WIDE_SHARE and others:
            notes.append(f"body {track.name}: wider than a body in {wide.mean():.0%} of its frames, noise")
            continue
        motion = motions[track]
        if wide.any() and not wide.all():
            motion = min(motion, Track(track.name, track.frames[~wide], track.points[~wide]).motion)
        upright.append((motion, track))
    return [track for _, track in sorted(upright, key=lambda pair: pair[0], reverse=True)]


def _merge(tracks: list[Track], persons: int, notes: list[str]) -> list[Track]:
    people: list[Track] = []
    for track in tracks:
        free = [i for i, person in enumerate(people) if not np.isin(track.frames, person.frames).any()]
        if free:
            i = min(free, key=lambda i: _gap(people[i], track))
            notes.append(f"body {track.name}: taken for person {i + 1} in {_frames(track.frames)}, lost there")
            people[i] = people[i].joined(track)
        elif len(people) < persons:
            people.append(track)
        else:
            notes.append(f"body {track.name}: moves least of {len(people) + 1} in {_frames(track.frames)}, left out")
    return people


def _gap(person: Track, piece: Track) -> float:
    """From the piece's first pose to the person's pose nearest in time."""
    near = int(np.abs(person.frames - piece.frames[0]).argmin())
    return float(_distance(piece.points[:1], person.points[near : near + 1])[0])


def _frames(frames: Ints) -> str:
    """Such as ``frame 3`` or ``frames 3 … 18``."""
    first, last = int(frames.min()), int(frames.max())
    return f"frame {first}" if first == last else f"{len(frames)} of the frames {first} … {last}"


def clip(where: str, people: npt.NDArray[Any], notes: Sequence[str] = (), **about: Any) -> Recording | Fault:
    """A recording of ``people`` ``(T, M, V, C)``; a joint with a value that is not finite was not observed.

    Args:
        where: the file and the clip, for a fault.
        people: as the file has them.
        notes: of what was left out or mended.
        **about: the other fields of :class:`Recording`.

    Returns:
        The recording; a fault where nobody is there.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a number beyond float32 becomes infinite, and so missing
        x = holes.marked(np.ascontiguousarray(people.transpose(3, 0, 2, 1), np.float32))
    if missing := holes.count(x):
        lost = np.flatnonzero(np.isnan(x).any((0, 2, 3)))
        notes = [*notes, f"{missing} joints were not observed, in {_frames(lost)}"]
    seen: npt.NDArray[np.bool_] = np.asarray(x.any((0, 2, 3)))
    if not seen.any():
        return Fault(where, f"nobody in any of its {len(seen)} frames")
    if not seen.all():
        notes = [*notes, f"nobody in {_frames(np.flatnonzero(~seen))}"]
    return Recording(x=x, notes=tuple(notes), **about)
