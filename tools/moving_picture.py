"""Draw docs/images/views.gif, the moving picture of the README: HiCLR's views of a recorded kick, from weak to strong.

PYTHONPATH=. python tools/moving_picture.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import skelaug
from skelaug.motion import clip_names, sample_motion

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))


def main() -> None:
    from transform_pictures import film

    clips = sample_motion(length=48)
    assert clips.label is not None
    index = clips.label.tolist().index(clip_names().index("kick"))
    clip = skelaug.transforms.Center("humanoid15", per="clip")(clips[index])
    policy = skelaug.policies.hiclr("humanoid15")
    views = policy.views(clip, keys=skelaug.random.keys(5, 0, [index]))
    shown = [("as recorded", clip, None), *((name, view, None) for name, view in zip(policy.names, views, strict=True))]
    film(shown, clip, ROOT / "docs" / "images" / "views.gif")


if __name__ == "__main__":
    main()
