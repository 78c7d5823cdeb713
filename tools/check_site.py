"""Read the built site as a reader would, and name what is broken in it.

    python tools/check_site.py out/docs

Looked for in every page: reStructuredText or Markdown that was shown instead of used, code without colours, pictures
and links of the site that lead nowhere, anything that is fetched from another server.
In the index of the site: every public name. One line a fault; exit status 1 if there is any.
"""

from __future__ import annotations

import inspect
import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Left over in text: a role, a directive, a fence, a link, a prompt, a table's rule.
RAW = re.compile(
    r":(?:[a-z]+:)?[a-z]+:`|^\s*\.\. [a-z-]+::|```|\]\([\w./#-]+\)|(?:^|\s)(?:>>>|\.\.\.) \w|^\|?-{3,}\||^:::+"
    r"|^(?:Args|Returns|Raises|Example|Examples|Attributes|Source):$",
    re.MULTILINE,
)
#: Left over in short code: two backticks, a role.
_LEFT_OVER = re.compile(r"`")
_FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What is checked of a page.

    Attributes:
        ids: the anchors.
        links: what it links to and shows, with the line.
        texts: the text outside code, a piece a paragraph.
        plain: code blocks of several words that have no colours.
        foreign: what a browser would fetch from another server.
        broken: other faults.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, int]] = []
        self.texts: list[str] = []
        self.plain: list[str] = []
        self.foreign: list[str] = []
        self.broken: list[str] = []
        self._stack: list[tuple[str, str]] = []
        self._code, self._coloured, self._named, self._field = "", False, False, False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        kind = given.get("class", "")
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "name" in given:
            self.ids.add(given["name"])
        target = given.get("href" if tag == "a" else "src" if tag in ("img", "source") else "", "")
        if target:
            self.links.append((target, self.getpos()[0]))
        if tag == "img" and "alt" not in given:  # an empty one says: for decoration
            self.broken.append(f"a picture without a text for those who cannot see it: {target}")
        fetched = given.get(_FETCHED.get(tag, ""), "")
        if urlsplit(fetched).netloc and given.get("rel") not in ("canonical", "alternate"):
            self.foreign.append(fetched)
        if "system-message" in kind or "problematic" in kind:
            self.broken.append("a message of docutils in the text")
        if tag == "pre":
            self._code, self._coloured = "", False
            above = " ".join(kind for _, kind in self._stack[-3:])
            self._named = re.search(r"highlight-(?!none|default)\w+|script-out", above) is not None
        if self._inside("pre") and tag == "span" and kind:
            self._coloured = True
        if tag not in ("br", "hr", "img", "input", "link", "meta", "source", "path", "wbr"):
            self._stack.append((tag, kind))
        if tag in ("p", "li", "td", "dd", "dt", "div", "h1", "h2", "h3"):
            self.texts.append("")
        self._field = tag == "dt" or (self._field and tag == "span")  # there "Returns:" is as it should be

    def handle_endtag(self, tag: str) -> None:
        while self._stack:
            last, _ = self._stack.pop()
            if last == tag:
                break
        if tag == "pre" and len(self._code.split()) > 1 and not (self._coloured or self._named):
            self.plain.append(self._code.strip().splitlines()[0])

    def handle_data(self, data: str) -> None:
        if self._inside("pre"):
            self._code += data
        elif self._inside("code") and self._inside("article"):
            if _LEFT_OVER.search(data):
                self.texts.append(f":raw:`{data}")
        elif (
            not (self._field or self._inside("script") or self._inside("style") or self._inside("math")) and self.texts
        ):
            self.texts[-1] += data

    def _inside(self, tag: str) -> bool:
        return any(name == tag for name, _ in self._stack)


def faults(site: Path) -> Iterator[str]:
    """The faults of a site, a line each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    if len(pages) < 10:
        yield f"{site}: only {len(pages)} pages"
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where}: shown instead of used: {text.strip()[:90]!r}" for text in page.texts if RAW.search(text))
        yield from (f"{where}: code without colours: {first!r}" for first in page.plain)
        yield from (f"{where}: fetched from another server: {url}" for url in page.foreign)
        yield from (f"{where}: {fault}" for fault in page.broken)
        for target, line in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or target in ("#", "#top"):
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                yield f"{where}:{line}: leads nowhere: {target}"
            elif parts.fragment and file.suffix == ".html" and unquote(parts.fragment) not in pages[file].ids:
                yield f"{where}:{line}: no such place on the page: {target}"
    yield from (f"the reference lacks {name}" for name in public_names() - documented(site))


def documented(site: Path) -> set[str]:
    """The Python names in the index that Sphinx writes for other projects, ``objects.inv``."""
    raw = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(raw).decode("utf-8").splitlines()
    return {line.split(" ")[0] for line in lines if " py:" in line}


def public_names() -> set[str]:
    """What users are told to import."""
    import skelaug
    import skelaug_contrib

    modules = [skelaug, skelaug.transforms, skelaug.policies, skelaug.random, skelaug.config]
    modules += [skelaug_contrib.losses, skelaug_contrib.datasets]
    things = {f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module.__all__}
    return {name for name, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    found = list(faults(Path(sys.argv[1]).resolve()))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{sys.argv[1]}: {len(found)} faults")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
