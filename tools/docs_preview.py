"""A hook of MkDocs: write the page of moving skeletons that the guide shows."""

from pathlib import Path
from typing import Any

from skelaug.cli import main


def on_post_build(config: Any) -> None:
    page = Path(config["site_dir"]) / "preview.html"
    if main(["preview", "-o", str(page), "--draws", "2", "--title", "HiCLR's growing augmentations", "--overwrite"]):
        raise SystemExit(f"{page} could not be written")
