"""The preview page in a browser: it plays, turns, changes what it shows, by mouse, finger and keys, wide and narrow."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread, imsave

from skelaug import plot, sample_motion

Show = Callable[..., Any]
REFERENCE = Path(__file__).parent / "reference"
FRAME = "skelaugPreview.frame"
CAMERA = "skelaugPreview.camera.position.toArray()"


def apart(one: Any, other: Any) -> float:
    """The mean difference of two pictures of one size, 0 … 1."""
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


def drawn(picture: Any) -> float:
    """The share of a picture that is not its commonest colour: 0 where nothing is drawn."""
    colours, counts = np.unique((picture * 255).astype(np.uint8).reshape(-1, 3), axis=0, return_counts=True)
    return 1 - counts.max() / counts.sum() if len(colours) > 1 else 0.0


def viewport(place: int) -> str:
    return f".panel:nth-child({place}) .viewport"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_picture_is_drawn_and_nothing_overflows(width: int, scheme: str, show: Show) -> None:
    page = show(width=width, color_scheme=scheme).ready()
    titles = page("[...document.querySelectorAll('.panel h2')].map((h) => h.textContent)")
    assert titles == ["as recorded", "weak", "masked", "dropped", "edges", "Rotate.degrees"]
    assert page("document.documentElement.scrollWidth") <= width
    assert page("document.documentElement.dataset.theme") == scheme
    for place in range(1, 7):
        assert drawn(page.picture(viewport(place))) > 0.02, titles[place - 1]
    small = page("""[...document.querySelectorAll('button, select, fieldset span, p, h2, pre')].filter((e) =>
        e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.outerHTML)""")
    assert small == []


@pytest.mark.parametrize("width", [1440, 390])
def test_pictures_are_those_kept(width: int, show: Show) -> None:
    """Against kept pictures of the drawing alone; text, whose font is the machine's, is left out."""
    page = show(width=width).ready()
    page("skelaugPreview.seek(12)")
    for place, name in ((1, "recorded"), (3, "masked"), (5, "edges")):
        page("document.querySelectorAll('.badge, #transport').forEach((text) => text.style.visibility = 'hidden')")
        picture, kept = page.picture(viewport(place)), REFERENCE / f"{name}-{width}.png"
        if os.environ.get("SKELAUG_KEEP_PICTURES"):
            imsave(kept, picture)
        expected = imread(kept)[..., :3]
        assert abs(np.subtract(picture.shape, expected.shape)).max() <= 1
        high, wide = np.minimum(picture.shape, expected.shape)[:2]
        assert apart(picture[:high, :wide], expected[:high, :wide]) < 0.005, f"look at it; {kept} shows what it was"
        assert drawn(picture) > 0.02


def test_it_plays_pauses_and_scrubs(show: Show) -> None:
    page = show(reduced_motion="no-preference").ready()
    assert page("skelaugPreview.playing"), "it plays by itself"
    before = page("skelaugPreview.drawn.frames")
    page.until(f"{FRAME} > 3")
    assert page("skelaugPreview.drawn.frames") > before
    page.page.get_by_role("button", name="Pause").click()
    stood = page(FRAME)
    page.page.wait_for_timeout(200)
    assert page(FRAME) == stood and not page("skelaugPreview.playing")
    page.page.get_by_label("Frame", exact=True).fill("20")
    assert page(FRAME) == 20 and page.page.locator("#clock").text_content() == "21 / 39 · 0.67 s"
    one = page.picture(viewport(1))
    page.page.get_by_role("button", name="One frame on").click()
    assert page(FRAME) == 21 and apart(one, page.picture(viewport(1))) > 1e-4
    page.page.get_by_role("button", name="One frame back").click()
    assert apart(one, page.picture(viewport(1))) < 1e-3, "the same frame is the same picture"


def test_speed(show: Show) -> None:
    page = show().ready()
    passed = []
    for speed in ("0.25", "2"):
        page.page.get_by_label("Speed").select_option(speed)
        passed.append(
            page("""new Promise((done) => { const viewer = skelaugPreview; viewer.seek(0); viewer.play(true);
            setTimeout(() => { viewer.play(false); done(viewer.position); }, 500); })""")
        )
    assert passed[1] > 3 * passed[0] > 0


def test_reduced_motion_stands_still(show: Show) -> None:
    page = show().ready()
    assert not page("skelaugPreview.playing") and page(FRAME) == 0


def test_a_picture_costs_little_time_of_the_script(show: Show) -> None:
    """What the script does for a frame of six pictures must leave room for 60 a second; the rest is the GPU's."""
    page = show().ready()
    page("for (let i = 0; i < 20; i++) skelaugPreview.seek(i)")
    cost = page("""(() => { const start = performance.now();
        for (let i = 0; i < 40; i++) { skelaugPreview.position = i % 39; skelaugPreview.update(); }
        return (performance.now() - start) / 40; })()""")
    assert cost < 16, f"{cost:.1f} ms a frame"


def test_clips_seeds_stages_and_colours(show: Show) -> None:
    page = show().ready()
    choose = page.page.get_by_label("Clip")
    assert choose.locator("option").all_text_contents() == ["walk", "kick", "</script><b>jump"]
    first = page.picture(viewport(1))
    choose.select_option("1")
    assert page("skelaugPreview.clip.name") == "kick" and apart(first, page.picture(viewport(1))) > 1e-3
    view = page.picture(viewport(2))
    page.page.get_by_role("radio", name="1", exact=True).check(force=True)
    assert apart(view, page.picture(viewport(2))) > 1e-4, "another seed, another rotation"
    page.page.get_by_role("radio", name="masked").check(force=True)
    assert page.page.locator(".panel h2").all_text_contents() == ["as recorded", "masked"]
    sides = page.picture(viewport(2))
    page.page.get_by_role("radio", name="Displacement").check(force=True)
    assert apart(sides, page.picture(viewport(2))) > 1e-4
    assert page.page.locator("#legend").inner_text().count("body sizes") == 1
    ghost = page.picture(viewport(2))
    page.page.get_by_role("checkbox", name="Ghost").uncheck(force=True)
    assert apart(ghost, page.picture(viewport(2))) > 1e-4
    page.page.get_by_role("checkbox", name="Dark").check(force=True)
    assert page.picture(viewport(2)).mean() < 0.3
    page.page.get_by_role("radio", name="All").check(force=True)
    assert page.page.locator(".panel").count() == 6


def test_the_slider(show: Show) -> None:
    page = show().ready()
    page.page.get_by_role("radio", name="Rotate.degrees").check(force=True)
    slide = page.page.get_by_role("slider", name="Rotate.degrees")
    pictures = []
    for step in range(5):
        slide.fill(str(step))
        pictures.append(page.picture(viewport(2)))
    assert page.page.locator(".slide output").text_content() == "60"
    assert all(apart(one, other) > 1e-4 for one, other in pairwise(pictures))


def test_marks(show: Show) -> None:
    page = show().ready()
    badge = ".panel:nth-child({}) .badge".format
    assert page.page.locator(badge(3)).text_content() == "3 joints masked"
    assert "changed" in page.page.locator(badge(5)).text_content()
    dropped = page("""[...Array(39).keys()].find((frame) =>
        skelaugPreview.data.counts(skelaugPreview.pictures[3].track, frame).dropped)""")
    page("(frame) => skelaugPreview.seek(frame)", dropped)
    assert page.page.locator(badge(4)).text_content() == "frame dropped"
    legend = page.page.locator("#legend").inner_text()
    assert all(word in legend for word in ("left", "ghost", "masked joint", "dropped frame", "edge lost", "new edge"))
    strengths = page.page.locator(".strength b").all_text_contents()
    assert len(strengths) == 4 and all(text.startswith(("strength 0.", "strength 1.")) for text in strengths)


def test_keys(show: Show) -> None:
    page = show().ready()
    press = page.page.keyboard.press
    press(" ")
    assert page("skelaugPreview.playing")
    press(" ")
    frame = page(FRAME)
    press(".")
    assert page(FRAME) == (frame + 1) % 39
    press(",")
    press("n")
    assert page("skelaugPreview.now.clip") == 1
    press("p")
    press("s")
    assert (page("skelaugPreview.now.clip"), page("skelaugPreview.now.seed")) == (0, 1)
    press("2")
    assert page("skelaugPreview.now.stage") == "1"
    press("a")
    press("g")
    press("c")
    press("d")
    press("]")
    told = page("skelaugPreview.now")
    assert (told["stage"], told["ghost"], told["colour"], told["speed"]) == ("all", False, "moved", 2)
    assert page("document.documentElement.dataset.theme") == "dark"
    start = page(CAMERA)
    press("ArrowLeft")
    turned = page(CAMERA)
    assert turned != start and np.linalg.norm(turned) == pytest.approx(np.linalg.norm(start))
    press("+")
    assert np.linalg.norm(page(CAMERA)) < 0.95 * np.linalg.norm(start)
    press("0")
    assert page(CAMERA) == pytest.approx(start)


def test_all_can_be_reached_by_tab(show: Show) -> None:
    page = show().ready()
    reached = set()
    for _ in range(40):
        page.page.keyboard.press("Tab")
        reached.add(page("document.activeElement.id || document.activeElement.name || document.activeElement.tagName"))
    wanted = {"clip", "seed", "stage", "colour", "ghost", "dark", "view", "SUMMARY"}
    wanted |= {"play", "back", "on", "time", "speed", "reset"}
    assert wanted <= reached, wanted - reached
    page.page.locator("#time").focus()
    page.page.keyboard.press("ArrowRight")
    assert page(FRAME) == 1, "arrows on the time line move time"
    unnamed = page("""[...document.querySelectorAll('button, input, select, canvas[tabindex]')].filter((e) =>
        !(e.ariaLabel || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML)""")
    assert unnamed == [], "each has a name for screen readers"
    assert page.page.locator("#said").text_content().startswith("walk, frame 2 of 39. as recorded. weak, strength")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_mouse_turns_and_zooms_all_at_once(width: int, show: Show) -> None:
    page = show(width=width).ready()
    start, pictures = page(CAMERA), [page.picture(viewport(place)) for place in (1, 2)]
    box = page.page.locator(viewport(1)).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 60, y + 10, steps=4)
    page.page.mouse.up()
    assert page(CAMERA) != start
    assert all(apart(one, page.picture(viewport(place))) > 1e-3 for one, place in zip(pictures, (1, 2), strict=True))
    far = np.linalg.norm(page(CAMERA))
    page.page.mouse.move(x, y)
    page.page.mouse.wheel(0, -300)
    page.settle()
    assert np.linalg.norm(page(CAMERA)) < far
    page.page.get_by_role("button", name="Reset").click()
    assert page(CAMERA) == pytest.approx(start)


def test_two_fingers_zoom(show: Show) -> None:
    page = show(width=390, has_touch=True, is_mobile=True).ready()
    start = np.linalg.norm(page(CAMERA))
    box = page.page.locator(viewport(1)).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.page.context.new_cdp_session(page.page)

    def touch(kind: str, *points: float) -> None:
        at = [{"x": x + point, "y": y, "id": i} for i, point in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", -20)
    touch("touchStart", -20, 20)
    for far in (25, 30, 40, 50):
        touch("touchMove", -far, far)
    touch("touchEnd")
    page.settle()
    assert np.linalg.norm(page(CAMERA)) < 0.9 * start


def test_the_policy_is_copied(show: Show) -> None:
    page = show().ready()
    page.page.get_by_text("The policy, to copy").click()
    assert page.page.locator("#python").text_content().startswith("GrowingPolicy(")
    assert page.page.locator("#yaml").text_content().startswith("type: GrowingPolicy")
    page.page.get_by_role("button", name="Copy YAML").click()
    page.page.get_by_text("Copied", exact=True).wait_for()


def test_inside_a_notebooks_frame(show: Show, tmp_path: Path) -> None:
    """An iframe without an origin of its own, as ``_repr_html_`` gives: it runs, and asks for nothing either."""
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><p>cell</p>{plot.view(sample_motion(['kick']))._repr_html_()}", "utf-8")
    page = show(notebook)
    frame = page.page.frame_locator("iframe")
    frame.locator(".panel").first.wait_for()
    frame.get_by_role("button", name="One frame on").click()
    assert frame.locator("#clock").text_content().startswith("2 / ")
    page.requests = [address for address in page.requests if address != "about:srcdoc"]


def test_the_page_forbids_the_network(show: Show) -> None:
    page = show().ready()
    assert page("fetch('https://example.org').then(() => 'got it', () => 'refused')") == "refused"
    assert any("Content Security Policy" in error for error in page.errors)
    page.errors, page.requests = [], page.requests[:1]
