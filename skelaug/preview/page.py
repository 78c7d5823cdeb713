"""Pack a scene into one HTML file: numbers quantised and compressed, everything inline, no request to anybody."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skelaug.expect import of_type
from skelaug.files import write
from skelaug.preview.scene import Clip, Scene, Track
from skelaug.preview.trace import ABSENT

__all__ = ["Page"]

_MARK = '<meta name="generator" content="skelaug preview'
_SCRIPTS = ("vendor/three.min", "viewer_data", "viewer_draw", "viewer_input", "viewer")  # each builds on those before
_LEVELS = 32767  # on each side of a clip's centre
_MOST_MOVED = 0.5  # body sizes; the colours end here at the latest


class Page:
    """The page, as text; what :func:`skelaug.plot.view` returns. A notebook shows it.

    Args:
        scene: what is shown.
        height: of the frame in a notebook, in pixels.

    Attributes:
        html: the whole file.
    """

    def __init__(self, scene: Scene, height: int = 640) -> None:
        self.html = _html(scene)
        self.height = height

    def __repr__(self) -> str:
        return f"<skelaug preview, {len(self.html.encode()) / 1e6:.2f} MB; .save('ladder.html') writes it>"

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame of its own, which may run its script and nothing else."""
        return (
            f'<iframe sandbox="allow-scripts" allow="clipboard-write; fullscreen" title="skelaug preview" '
            f'style="width: 100%; height: {self.height}px; border: 0" srcdoc="{html.escape(self.html)}"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all; an older page of skelaug is replaced.

        Raises:
            FileExistsError: something else is there.
            OSError: it cannot be written.
        """
        of_type("Page.save", "path", path, (str, Path), "the name of a file, such as 'ladder.html'")
        target = Path(path)
        if not target.name:
            raise ValueError(f"Page.save(path={path!r}): path must name a file, such as 'ladder.html'")
        refuse_other(target)
        write(target, self.html.encode())


def refuse_other(path: Path) -> None:
    """Raise FileExistsError where something lies that is no page of skelaug."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_file():
        with path.open("rb") as file:
            if _MARK.encode() in file.read(2048):
                return
    raise FileExistsError(f"{path} is no page that skelaug wrote; choose another name, or remove it yourself")


@cache
def _asset(name: str) -> str:
    return resources.files("skelaug.preview").joinpath(*name.split("/")).read_text(encoding="utf-8")


def _html(scene: Scene) -> str:
    about, numbers, marks = pack(scene)
    # Nothing in the data can end its script element: no "<" is left in it.
    data = json.dumps(about, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    scripts = [_asset(f"{name}.js") for name in _SCRIPTS]
    style = _asset("viewer.css")
    # Only these scripts and this style may run, and nothing may be asked for: no picture, font, frame or connection.
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_digest, scripts))}; style-src {_digest(style)}; "
        f"base-uri 'none'; form-action 'none'"
    )
    places = {
        "policy": policy,
        "version": metadata.version("skelaug"),
        "title": html.escape(scene.title),
        "style": style,
        "data": data,
        "numbers": numbers,
        "marks": marks,
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    # In one pass: what is put in is not looked at again.
    parts = _asset("viewer.html").split("{{")
    done = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}}")
        done.append(places[name] + rest)
    return "".join(done)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def pack(scene: Scene) -> tuple[dict[str, Any], str, str]:
    """A scene as plain data, and its numbers: base64 of zlib of int16 (places) and of uint8 (states and colours)."""
    packer = _Packer(_most_moved(scene))
    skeleton = scene.skeleton
    sides = ["middle"] * scene.joints
    for left, right in skeleton.pairs if skeleton else ():
        sides[left], sides[right] = "left", "right"
    about = {
        "title": scene.title,
        "source": scene.source,
        "version": metadata.version("skelaug"),
        "skeleton": {
            "name": skeleton.name if skeleton else None,
            "joints": list(skeleton.joints) if skeleton else [f"joint {i}" for i in range(scene.joints)],
            "bones": [list(bone) for bone in skeleton.bones] if skeleton else [],
            "sides": sides,
        },
        "flat": scene.flat,
        "fps": scene.fps,
        "seeds": list(scene.seeds),
        "views": [
            {"name": name, "adds": adds, "strength": [seed[i] if i < len(seed) else None for seed in scene.strength]}
            for i, (name, adds) in enumerate(zip(scene.names, scene.adds, strict=True))
        ],
        "vectors": scene.vectors,
        "slider": {"name": scene.slider.name, "values": list(scene.slider.values)} if scene.slider else None,
        "clips": [packer.clip(clip) for clip in scene.clips],
        "most": packer.most,
        "python": scene.python,
        "yaml": scene.yaml,
    }
    return about, _packed(packer.places), _packed(packer.marks)


def _packed(parts: list[bytes]) -> str:
    return base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()


def _tracks(clip: Clip) -> list[Track]:
    return [clip.original, *(view for views in clip.views for view in views), *clip.steps]


def _most_moved(scene: Scene) -> float:
    """The displacement at which the colours end: that which one joint in fifty exceeds, or less."""
    moved = [t.moved[~t.moved.isnan()] for clip in scene.clips for t in _tracks(clip) if t.moved is not None]
    together = torch.cat([m.flatten() for m in moved]) if moved else torch.zeros(0)
    if not len(together):
        return _MOST_MOVED
    ranked = together.sort().values
    return min(_MOST_MOVED, max(0.02, float(ranked[int(0.98 * (len(ranked) - 1))])))


class _Packer:
    """Quantises tracks one behind the other; the viewer finds them by where they begin."""

    def __init__(self, most: float) -> None:
        self.most = round(most, 3)
        self.places: list[bytes] = []
        self.marks: list[bytes] = []
        self.at = self.mark_at = 0

    def clip(self, clip: Clip) -> dict[str, Any]:
        """A clip as plain data; one step of quantisation for all of its tracks."""
        there = torch.cat([t.places[t.state != ABSENT] for t in _tracks(clip)])
        if not len(there):
            there = torch.zeros(1, clip.original.places.shape[-1])
        low, high = there.amin(0), there.amax(0)
        centre = (low + high) / 2
        step = max(float((high - low).max()) / 2 / _LEVELS, 1e-12)
        return {
            "name": clip.name,
            "every": clip.every,
            "persons": clip.original.places.shape[1],
            "body": clip.body,
            "front": list(clip.front),
            "floor": clip.floor,
            "centre": centre.tolist(),
            "step": step,
            "original": self._track(clip.original, centre, step),
            "views": [[self._track(view, centre, step) for view in views] for views in clip.views],
            "steps": [self._track(view, centre, step) for view in clip.steps],
        }

    def _track(self, track: Track, centre: torch.Tensor, step: float) -> dict[str, Any]:
        scaled = ((track.places - centre) / step).round().clamp(-_LEVELS, _LEVELS)
        whole = torch.where((track.state == ABSENT)[..., None], 0, scaled).numpy().astype(np.int16)
        # Differences from frame to frame (modulo 2^16), low and high bytes apart: they compress better.
        steps = np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))
        planes = steps.astype("<i2").reshape(-1).view(np.uint8).reshape(-1, 2).T
        about = {
            "frames": len(whole),
            "at": self.at,
            "mark": self.mark_at,
            "moved": track.moved is not None,
            "edges": [list(edge) for edge in track.edges],
            "strength": track.strength,
        }
        self._add(planes.tobytes())
        self._mark(track.state.numpy().tobytes())
        if track.moved is not None:
            share = (track.moved.nan_to_num(0.0) / self.most).clamp(0, 1)
            self._mark((share * 255).round().to(torch.uint8).numpy().tobytes())
        return about

    def _add(self, data: bytes) -> None:
        self.places.append(data)
        self.at += len(data)

    def _mark(self, data: bytes) -> None:
        self.marks.append(data)
        self.mark_at += len(data)
