"""``tools/check_site.py`` finds what it is for, and nothing in a page as it should be."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import check_site

GOOD = (
    '<article><h1 id="top">A page</h1><p>Words, <code>code</code>, <a href="other.html#there">a link</a>, '
    '<a href="https://example.org">one elsewhere</a>.</p><dl><dt>Returns<span>:</span></dt><dd>x</dd></dl>'
    '<div class="highlight-python"><pre><span class="kn">import</span> torch\nx = 1</pre></div>'
    '<img src="picture.png" alt="what it shows"></article>'
)


def site(folder: Path, body: str) -> list[str]:
    """The faults of a site of ten pages, the first of which is given, without those of the reference."""
    names = b"\n".join(name.encode() + b" py:class 1 x.html#$ -" for name in sorted(check_site.public_names()))
    (folder / "objects.inv").write_bytes(b"# 1\n# 2\n# 3\n# 4\n" + zlib.compress(names))
    (folder / "picture.png").write_bytes(b"")
    for i in range(9):
        name = "other" if i == 0 else f"page{i}"
        (folder / f"{name}.html").write_text('<p id="there">x</p>')
    (folder / "index.html").write_text(body, encoding="utf-8")
    return list(check_site.faults(folder))


def test_a_page_as_it_should_be_has_no_faults(tmp_path: Path) -> None:
    assert site(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<p>see :class:`Shear`</p>", "shown instead of used"),
        ("<p>see :py:class:`Shear`</p>", "shown instead of used"),
        ("<p>Example: </p><p>&gt;&gt;&gt; Shear(0.5)</p>", "shown instead of used"),
        ("<p>Example:</p>", "shown instead of used"),
        ("<p>.. code-block:: python</p>", "shown instead of used"),
        ("<p>```python</p>", "shown instead of used"),
        ("<p>[a page](page.md)</p>", "shown instead of used"),
        ("<p>::: skelaug.plugins</p>", "shown instead of used"),
        ("<p>|---|---|</p>", "shown instead of used"),
        ("<article><code>`x</code></article>", "shown instead of used"),
        ("<pre>import torch</pre>", "code without colours"),
        ('<div class="highlight-default"><div class="highlight"><pre>a b</pre></div></div>', "code without colours"),
        ('<img src="gone.png" alt="x">', "leads nowhere"),
        ('<img src="picture.png">', "a picture without a text"),
        ('<a href="gone.html">x</a>', "leads nowhere"),
        ('<a href="other.html#nowhere">x</a>', "no such place"),
        ('<a href="#nowhere">x</a>', "no such place"),
        ('<script src="https://cdn.example.org/x.js"></script>', "fetched from another server"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "fetched from another server"),
        ('<div class="system-message">x</div>', "a message of docutils"),
    ],
)
def test_a_fault_is_found(body: str, fault: str, tmp_path: Path) -> None:
    (found,) = site(tmp_path, body)
    assert fault in found


def test_a_public_name_without_reference_is_found(tmp_path: Path) -> None:
    site(tmp_path, GOOD)
    (tmp_path / "objects.inv").write_bytes(b"# 1\n# 2\n# 3\n# 4\n" + zlib.compress(b"skelaug.Compose py:class 1 x -"))
    lacking = list(check_site.faults(tmp_path))
    assert "the reference lacks skelaug.OneOf" in lacking and "the reference lacks skelaug.Compose" not in lacking
