"""Write the page of moving skeletons that the guide shows beside the built pages."""

from pathlib import Path
from typing import Any

from skelaug.cli import main


def write(app: Any, exception: Exception | None) -> None:
    """``preview.html``, made by the command itself."""
    if exception is not None or app.builder.format != "html":
        return
    page = Path(app.outdir) / "preview.html"
    if main(["preview", "-o", str(page), "--draws", "2", "--title", "HiCLR's growing augmentations", "--overwrite"]):
        raise SystemExit(f"{page} could not be written")


def setup(app: Any) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
