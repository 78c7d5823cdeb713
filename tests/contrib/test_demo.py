"""The demonstration: windows of real clips, cameras, and a loop that learns."""

from __future__ import annotations

import torch

from skelaug_contrib.demo import demonstrate, seen_from, windows


def test_windows_start_at_the_origin_and_move_on() -> None:
    cut = windows(24, 4)
    assert cut.mask.all() and torch.equal(cut.x[:, :, 0, 0], torch.zeros_like(cut.x[:, :, 0, 0]))
    assert sorted(set(cut.label.tolist())) == list(range(15))
    first, second = cut.x[0], cut.x[1]
    later = first[:, 4:] - first[:, 4:5, :1]
    torch.testing.assert_close(later, second[:, :20], rtol=0, atol=1e-6)


def test_cameras_turn_the_body_as_a_whole() -> None:
    cut = windows()[:3]
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
