"""The reference, under the names that users write.

- A block ``{reference} skelaug.batch`` in a page shows the module and its members. What ``skelaug`` itself offers is
  shown as ``skelaug.SkeletonBatch``, not where it is defined.
- A reference to a thing by either name finds it. One to a name of ours that leads nowhere is a warning, which ends
  ``make docs``.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

import skelaug

# Projects that are not installed when the site is built: what adapts to them is documented all the same.
_MOCKED = ["datasets", "lightning", "pyskl"]
_log = logging.getLogger(__name__)


def show(found: re.Match[str]) -> str:
    """The block, in the words of autodoc."""
    with mock(_MOCKED):
        module = importlib.import_module(found[1])
    offered = [name for name in skelaug.__all__ if _is_home(module, name)]
    lines = [f".. automodule:: {found[1]}", *([f"   :exclude-members: {', '.join(offered)}"] if offered else [])]
    for name in offered:
        kind = "class" if inspect.isclass(getattr(skelaug, name)) else "function"
        lines += ["", f".. auto{kind}:: skelaug.{name}"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def _is_home(module: Any, name: str) -> bool:
    thing = getattr(skelaug, name)
    return (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == module.__name__


def defined_as(name: str) -> str | None:
    """The name under which an object is defined; ``None`` where there is no such object."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        home, own = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
        return f"{home}.{own}" if home and own else None
    return None


class _Names:
    """What is documented, by the names under which things are defined."""

    def __init__(self) -> None:
        self.by_definition: dict[str, str] = {}

    def find(self, objects: dict[str, Any], target: str, module: str | None) -> str | None:
        if not self.by_definition:
            self.by_definition = {defined_as(name) or name: name for name in objects if name.startswith("skelaug")}
        for whole in (target, f"{module}.{target}"):
            defined = defined_as(whole) if whole.startswith("skelaug") else None
            name = whole if whole in objects else self.by_definition.get(defined or "")
            if name is not None:
                return name
        ends = [known for known in objects if known.endswith(f".{target}")]
        return ends[0] if len(ends) == 1 else None

    def resolve(self, app: Sphinx, env: Any, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
        if node.get("refdomain") != "py":
            return None
        objects = env.get_domain("py").objects
        name = self.find(objects, node["reftarget"], node.get("py:module"))
        if name is not None:
            found = objects[name]
            return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, content, name)
        target = node["reftarget"]
        if "refwarn" in node and not target.startswith("typing.") and not hasattr(builtins, target):
            # Written as a role. Annotations and "Raises:" may name what other projects document.
            _log.warning("nothing is documented as %s", target, location=node)
        return None


def setup(app: Sphinx) -> dict[str, bool]:
    app.config.autodoc_mock_imports = _MOCKED
    app.connect("source-read", lambda app, page, text: text.__setitem__(0, _BLOCK.sub(show, text[0])))
    app.connect("missing-reference", _Names().resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


_BLOCK = re.compile(r"^```\{reference\} (\S+)\n```$", re.MULTILINE)
