"""A page for every transform, made from its class: pictures on real motion, the formula, its docstring, its promises.

The pages and a gallery of them are written to ``docs/transforms`` before Sphinx reads the sources; git ignores them.
A block ``{transforms} space`` in a page lists the transforms of a module, ``{drawn}`` says of all what is drawn.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from formulas import FORMULAS
from sphinx.application import Sphinx
from transform_pictures import code, draw

from skelaug import transforms as T
from skelaug.commands.demo import examples
from skelaug.motion import sample_motion
from skelaug.transform import Transform

_AXES = {
    "space": ("space", "mirror", "pose"),
    "time": ("time", "gaps"),
    "joints": ("joints", "streams"),
    "values": ("values",),
    "graph": ("graph",),
}
_SAYS = {
    "space": "They change where bodies are and which way they face.",
    "time": "They change which moments of the clip are seen, and how fast it plays.",
    "joints": "They hide or move joints and persons, or turn joints into bones and motion.",
    "values": "They change numbers: noise, or the statistics and the lengths of another sample.",
    "graph": "They change the edges along which an encoder passes messages. They need a `SkeletonBatch`.",
}


def axis_of(cls: type[Transform]) -> str:
    """The axis that a transform acts on, which is the module it is in."""
    module = cls.__module__.rpartition(".")[2]
    return next((axis for axis, modules in _AXES.items() if module in modules), module)


def first_sentence(cls: type[Transform]) -> str:
    """What it does, as Markdown."""
    paragraph = " ".join(_paragraphs(cls)[0].split())
    sentence = re.match(r".*?[.](?= |$)", paragraph)
    return _markdown(sentence[0] if sentence else paragraph)


def drawn(cls: type[Transform]) -> str:
    """What its docstring says of what is drawn, as Markdown on one line."""
    for paragraph in _paragraphs(cls):
        text = " ".join(paragraph.split())
        if text.startswith("Drawn per sample"):
            return _markdown(text.removeprefix("Drawn "))
        if "Nothing is drawn." in text:
            return "nothing"
    return "see the page"


def _paragraphs(cls: type[Transform]) -> list[str]:
    return (inspect.getdoc(cls) or "").split("\n\n")


def _markdown(text: str) -> str:
    """reStructuredText on one line as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return text.replace("``", "`").replace("|", r"\|")


def promises(shown: list[Transform]) -> list[str]:
    """What holds of the transforms of one class that are shown, from what they declare."""
    t = shown[0]
    lines = []
    if t.length is None:
        lines.append("A sample that is not chosen by `p` comes out bit for bit as it went in.")
    else:
        lines.append("The result has another number of frames, `length`. So there is no `p`.")
    lines.append("What is absent stays exactly 0 and stays marked as absent.")
    if any(each.moves_presence for each in shown):
        lines.append("It moves or changes who is present where; the mask goes along.")
    if all(each.linear for each in shown):
        lines.append("`Compose` joins it with its neighbours: several such transforms are one pass over the data.")
    if any(each.data_dependent for each in shown):
        lines.append("Its draw reads the data, not only their shape. What it read is part of the params.")
    if any(each.on_stream for each in shown):
        lines.append(
            "In a policy with a `stream` it acts on what the encoder sees, after joints became bones or motion."
        )
    lines.append("`t(x)` equals `t.replay(x, t.sample(x))` bit for bit.")
    return [f"- {line}" for line in lines]


def page(name: str, shown: list[Transform], moving: bool) -> str:
    """The page of a transform in Markdown."""
    cls = getattr(T, name)
    params = ", ".join(f"`{leaf.strip()}`" for leaf in (shown[0].shapes or "").split(",") if leaf.strip())
    alt = f"{name} on a recorded kick"
    of_graphs = "Six draws. Grey: kept. Red: lost, dashed in one direction, dotted in both. Green: new."
    of_bodies = "Time runs to the right. Grey: as recorded. Blue: left. Orange: right."
    caption = of_graphs if axis_of(cls) == "graph" else of_bodies
    pictures = [f"![{alt}, moving](images/{name}.gif)", ""] if moving else []
    formula = ["## Formula", "", f"$$\n{FORMULAS[name]}\n$$", ""] if name in FORMULAS else []
    return "\n".join(
        [
            f"# {name}",
            "",
            first_sentence(cls),
            "",
            *pictures,
            f"![{alt}: as recorded, and after the transform]({f'images/{name}.png'})",
            "",
            caption,
            "",
            "## In code",
            "",
            f"```python\n{code(shown[0])}```",
            "",
            *formula,
            "## Class",
            "",
            "```{eval-rst}",
            f".. autoclass:: skelaug.transforms.{name}",
            "   :no-members:",
            "```",
            "",
            "## What is drawn",
            "",
            f"{drawn(cls)[0].upper()}{drawn(cls)[1:]}{'' if drawn(cls).endswith('.') else '.'}",
            *(
                ["", f"The params, by name, type and shape: {params}. ([How to read this](../guide/own.md))"]
                if params
                else []
            ),
            "",
            "## What it promises",
            "",
            *promises(shown),
            "",
            f"All transforms of this kind: [{axis_of(cls)}](../reference/{axis_of(cls)}.md).",
            "",
        ]
    )


def gallery() -> str:
    """The page with a thumbnail of every transform."""
    lines = [
        "# Transforms",
        "",
        "Each picture shows a recorded kick in grey, and what the transform makes of it. Choose one to see it move.",
        "A transform acts on one of five axes: space, time, joints, values or graph.",
        "",
    ]
    groups: dict[str, list[str]] = {axis: [] for axis in _AXES}
    for name in T.__all__:
        groups.setdefault(axis_of(getattr(T, name)), []).append(name)
    for axis, names in groups.items():
        lines += [f"## {axis.capitalize()}", "", _SAYS.get(axis, ""), "", "::::{grid} 1 2 3 3", ":gutter: 3", ""]
        for name in names:
            lines += [
                f":::{{grid-item-card}} {name}",
                f":link: {name}",
                ":link-type: doc",
                f":img-top: images/{name}-small.png",
                f":img-alt: {name}",
                "",
                first_sentence(getattr(T, name)),
                ":::",
                "",
            ]
        lines += ["::::", ""]
    names = [name for group in groups.values() for name in group]
    return "\n".join([*lines, "```{toctree}", ":hidden:", "", *names, "```", ""])


def listed(found: re.Match[str]) -> str:
    """A block ``{transforms}``: what the module says, and its transforms."""
    module = importlib.import_module(f"skelaug.transforms.{found[1]}")
    rows = [f"| [{name}](../transforms/{name}.md) | {first_sentence(getattr(T, name))} |" for name in module.__all__]
    head = f"```{{eval-rst}}\n.. automodule:: skelaug.transforms.{found[1]}\n   :no-members:\n```"
    return "\n".join([head, "", "| transform | what it does |", "|---|---|", *rows])


def table_of_draws(found: re.Match[str]) -> str:
    """A block ``{drawn}``: one table for all transforms."""
    names = sorted(T.__all__, key=lambda name: [*_AXES].index(axis_of(getattr(T, name))))
    rows = [
        f"| [{name}](../transforms/{name}.md) | {axis_of(getattr(T, name))} | {drawn(getattr(T, name))} |"
        for name in names
    ]
    return "\n".join(["| transform | axis | drawn |", "|---|---|---|", *rows])


def write(app: Sphinx) -> None:
    """The pages and pictures, those that are there and not older than the code excepted."""
    folder = Path(app.srcdir) / "transforms"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    clips = sample_motion(length=48)
    shown: dict[str, list[Any]] = {name: [] for name in T.__all__}
    for example in examples(clips):
        shown[type(example[0]).__name__].append(example)
    lacking = [name for name, found in shown.items() if not found]
    if lacking:
        raise ValueError(f"no example in skelaug/commands/demo.py, from which the pages are made: {', '.join(lacking)}")
    for name, found in shown.items():
        draw(found, folder / "images", name)
        moving = (folder / "images" / f"{name}.gif").exists()
        _write(folder / f"{name}.md", page(name, [transform for transform, *_ in found], moving))
    _write(folder / "index.md", gallery())


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # what is as it was is not built again
        path.write_text(text, encoding="utf-8")


_BLOCKS = [
    (re.compile(r"^```\{transforms\} (\S+)\n```$", re.MULTILINE), listed),
    (re.compile(r"^```\{drawn\}\n```$", re.MULTILINE), table_of_draws),
]


def _fill_in(app: Sphinx, name: str, text: list[str]) -> None:
    for pattern, block in _BLOCKS:
        text[0] = pattern.sub(block, text[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
