"""The demonstration: windows of real clips, cameras, and a loop that learns."""

from __future__ import annotations

import torch

from skelaug_contrib.demo import demonstrate, sections, seen_from


def test_sections_are_real_motion_from_the_origin() -> None:
    cut = sections(3)
    assert cut.mask.all() and torch.equal(cut.x[:, :, 0, 0], torch.zeros_like(cut.x[:, :, 0, 0]))
    assert cut.label.tolist() == [clip for clip in range(15) for _ in range(3)]
    assert (cut.x.amax(3) - cut.x.amin(3)).norm(dim=1).min() > 0.5, "every frame shows a body, none is padding"
    assert (cut.x.diff(dim=2).abs().amax((1, 2, 3, 4)) > 0.01).all(), "and it moves"


def test_cameras_turn_the_body_as_a_whole() -> None:
    cut = sections(1)[:3]
    seen = seen_from(cut, [(0, 0), (90, 0), (90, 20)])
    assert len(seen) == 9 and torch.equal(seen.x[:3], cut.x)
    front, side = cut.x[..., 0], seen.x[3:6, ..., 0]
    torch.testing.assert_close(side, torch.stack([front[:, 2], front[:, 1], -front[:, 0]], 1))  # e_x goes to -e_z
    length = [view.diff(dim=3).norm(dim=1) for view in (cut.x, seen.x[6:])]
    torch.testing.assert_close(*length)


def test_it_trains_and_reports_each_encoder() -> None:
    lines: list[str] = []
    found = demonstrate(steps=2, progress=lines.append)
    assert list(found) == ["untrained", "weak only", "HiCLR"] and len(lines) == 3
    assert all(0 < value < 1 for value in found.values())
    assert "→" in lines[2]
