"""Formulas as pictures in the page itself, typeset by matplotlib: no script and no request to anybody's server.

What matplotlib's mathematics cannot set is a warning, which ends ``make docs``. Lines of a display are divided by two
backslashes and lie below each other, aligned at ``&``, which stands before a relation.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import re
from typing import Any

import matplotlib as mpl
from docutils import nodes
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
from sphinx.application import Sphinx
from sphinx.util import logging

_EM = 10.0  # points of the pictures; pages show them in multiples of their own letters
_SETTINGS = {"mathtext.fontset": "stix", "svg.fonttype": "path", "svg.hashsalt": "skelaug"}

#: Common TeX that matplotlib knows under another name.
_ALSO = {
    r"\\[bB]igl(?![a-z])": r"\\left",
    r"\\[bB]igr(?![a-z])": r"\\right",
    r"\\[lr]Vert(?![a-z])": r"\\|",
    r"\\le(?![a-z])": r"\\leq",
}


@functools.cache
def picture(tex: str, block: bool) -> str:
    """The formula as HTML; raises ValueError where it cannot be set."""
    buffer = io.BytesIO()
    text = tex.replace(r"\frac", r"\dfrac") if block else tex  # large, as there is room
    for pattern, known in _ALSO.items():
        text = re.sub(pattern, known, text)
    with mpl.rc_context(_SETTINGS):
        depth = mathtext.math_to_image(f"${text}$", buffer, prop=FontProperties(size=_EM), format="svg", dpi=72)
    svg = buffer.getvalue().decode()
    width, height = (float(value) for value in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())  # type: ignore[union-attr]
    source = base64.b64encode(svg[svg.index("<svg") :].encode()).decode()
    scale = 1.25 if block else 1.12
    size = f"width:{scale * width / _EM:.3f}em;height:{scale * height / _EM:.3f}em"
    # The lowest line of the picture lies this far below the line of the text.
    place = f"vertical-align:-{scale * depth / _EM:.3f}em"
    shown = f'style="{size};{place}" src="data:image/svg+xml;base64,{source}"'
    return f'<img class="formula" alt="{html.escape(tex)}" {shown}>'


def _rows(tex: str) -> list[list[str]]:
    inner = re.sub(r"\\(begin|end)\{aligned\}", "", tex)
    return [[part.strip() for part in row.split("&")] for row in inner.split(r"\\")]


def _show(writer: Any, node: nodes.Element, *, block: bool) -> None:
    tex = " ".join(node.astext().split())
    try:
        if block:
            rows = _rows(tex)
            cells = [[picture(part, True) if part else "" for part in row] for row in rows]
            lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells)
            writer.body.append(f'<div class="formula"><table class="formula">{lines}</table></div>')
        else:
            writer.body.append(picture(tex, False))
    except ValueError as error:
        reason = str(error).strip().splitlines()
        logging.getLogger(__name__).warning("%s in the formula %r", reason[-1], tex, location=node)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer(
        "typeset",
        (lambda writer, node: _show(writer, node, block=False), None),
        (lambda writer, node: _show(writer, node, block=True), None),
    )
    app.connect("builder-inited", lambda app: setattr(app.config, "html_math_renderer", "typeset"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
