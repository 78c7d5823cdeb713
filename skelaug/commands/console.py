"""Output to terminals and pipes that cannot show every sign: Windows' cp1252, latin-1, ASCII."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

__all__ = ["use_plain_signs"]

#: The signs of our own texts, in ASCII.
_SIGNS = {
    "…": "...", "×": "x", "±": "+-", "≥": ">=", "≤": "<=", "→": "->", "−": "-", "–": "-", "—": "-", "·": "*", "²": "^2",
    "°": " degrees", "µ": "u", "τ": "tau", "∞": "inf",
}  # fmt: skip


def use_plain_signs() -> None:
    """Let stdout and stderr print in ASCII what their encoding lacks, instead of failing with UnicodeEncodeError."""
    codecs.register_error("skelaug.plain", _spell_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="skelaug.plain")


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    """What codecs writes for characters that an encoding lacks: a letter without its accent, at last ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = ""
    for sign in error.object[error.start : error.end]:
        letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
        spelled += _SIGNS.get(sign) or letters or "?"
    return spelled, error.end
