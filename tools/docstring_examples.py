"""For ``make docs``: the section ``Example:`` of a docstring is shown as code, as ``Examples:`` is."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ShowExamples(griffe.Extension):
    """Rename the section before griffe, which knows the plural only, reads it."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every module, class and function."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
