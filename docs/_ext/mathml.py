"""Formulas as MathML, which every browser shows by itself: no script, no font, and no request to anybody's server."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging


def _show(writer: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        writer.body.append(tex2mathml(node.astext(), as_block=block))
    except MathError as error:
        logging.getLogger(__name__).warning("%s in the formula %r", error, node.astext(), location=node)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer(
        "mathml",
        (lambda writer, node: _show(writer, node, block=False), None),
        (lambda writer, node: _show(writer, node, block=True), None),
    )
    app.connect("builder-inited", lambda app: setattr(app.config, "html_math_renderer", "mathml"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
