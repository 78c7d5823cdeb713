"""A headless Chromium of the system, driven by Playwright; without either, the tests skip and say why."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

import skelaug
from skelaug import plot
from skelaug import transforms as T

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SIZES = {1440: 900, 390: 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'skelaug[browser]'")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser, one of {', '.join(NAMES)} (Debian: apt install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=QUIET.split())
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, four views that mask joints, drop frames, change edges, and a slider."""
    names = ["walk", "kick", "jump"]
    whole = skelaug.sample_motion(names)
    batch = skelaug.SkeletonBatch(whole.x[:, :, :40], whole.mask[:, :40])
    policy = skelaug.GrowingPolicy(
        weak=[T.Rotate(30)],
        masked=[T.JointMask(0.2)],
        dropped=[T.DropFrame(0.4)],
        edges=[T.DropEdges(0.3, "humanoid15"), T.AddEdges(0.05, "humanoid15")],
    )
    path = tmp_path_factory.mktemp("page") / "ladder.html"
    plot.view(batch, policy, names=[*names[:2], "</script><b>jump"], seeds=[0, 1]).save(path)
    return path


class Page:
    """A page of the browser, what it said and what it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.requests.append(request.url))

    def __call__(self, script: str, *arguments: Any) -> Any:
        return self.page.evaluate(script, *arguments)

    def ready(self) -> Page:
        self.until("Boolean(window.skelaugPreview)")
        self.settle()
        return self

    def until(self, script: str, seconds: float = 60) -> None:
        """Wait for something to be true; Playwright's own way needs eval, which the page forbids."""
        end = time.monotonic() + seconds
        while not self(script):
            assert time.monotonic() < end, f"not within {seconds} s: {script}; {self.errors}"
            self.page.wait_for_timeout(30)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")

    def picture(self, selector: str) -> Any:
        """What is seen of an element, as an array of colours."""
        self.settle()
        return np.asarray(imread(io.BytesIO(self.page.locator(selector).first.screenshot()), format="png"))[..., :3]


@pytest.fixture
def show(browser: Any, file: Path) -> Iterator[Callable[..., Page]]:
    """Open a page; afterwards: no error was said, and nothing was asked for but the file."""
    opened: list[tuple[Page, str]] = []

    def open_page(path: Path = file, width: int = 1440, **more: Any) -> Page:
        options = {"reduced_motion": "reduce", "color_scheme": "light"} | more
        page = Page(browser.new_page(viewport={"width": width, "height": SIZES[width]}, **options))
        page.page.goto(path.as_uri())
        opened.append((page, path.as_uri()))
        return page

    yield open_page
    for page, address in opened:
        assert page.errors == []
        assert page.requests == [address], "a request left the page"
        page.page.close()
