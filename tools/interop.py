"""Test skelaug inside other people's projects, each in an environment of its own.

python tools/interop.py [--env FOLDER] [--only PROJECT] [--pyskl FOLDER] [arguments for pytest]

mmaction2, Lightning and Hugging Face's datasets come from PyPI. PYSKL is not there: name a copy of its repository, and
it is tested too. The feeders of AimCLR, HiCLR and CTR-GCN are tested where SKELAUG_PEERS names a folder with copies of
their repositories, ``aimclr``, ``hiclr`` and ``ctrgcn``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = (ROOT / "constraints.txt", ROOT / "tools" / "interop-constraints.txt")
OURS = ("torch", "numpy", "scipy", "kornia", "pyyaml", "pytest", "hypothesis")
#: The files say which version of what; a Makefile's own constraints must not meddle with the old setuptools below.
SETTINGS = {k: v for k, v in os.environ.items() if k not in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}


@dataclass(frozen=True)
class Project:
    """Somebody's project: what to install for it, in steps of arguments for pip, and what to run.

    Attributes:
        probe: must run before any test does, so that none is passed over for want of the project.
    """

    name: str
    installs: tuple[tuple[str, ...], ...]
    probe: str
    tests: tuple[str, ...]


def pinned(*packages: str) -> tuple[str, ...]:
    return (*packages, *(part for path in CONSTRAINTS for part in ("-c", str(path))))


MMACTION2 = Project(
    "mmaction2",
    (
        pinned(
            *OURS,
            "mmengine",
            "mmcv-lite<2.2",
            "decord",
            "einops",
            "opencv-contrib-python-headless",
            "importlib_metadata",
        ),
        pinned("--no-deps", "mmaction2"),  # it asks for packages of which these tests need none
    ),
    "import mmaction.datasets",
    ("tests/compat/test_mmaction2.py",),
)
LIGHTNING = Project(
    "lightning",  # and Hugging Face's datasets, and the feeders, which need nothing but NumPy
    (pinned(*OURS, "lightning", "datasets", "matplotlib"),),  # AimCLR's tools import matplotlib
    "import datasets, lightning, skelaug.compat.lightning",
    (
        "tests/compat/test_lightning.py",
        "tests/compat/test_huggingface.py",
        "tests/compat/test_feed.py",
        "tests/compat/test_one_policy.py",
        "tests/compat/test_integrations_torch.py",
        "tests/compat/test_integrations_feeders.py",
    ),
)
PYSKL = Project(
    "pyskl",
    (
        pinned(
            *OURS, "addict", "yapf", "decord", "opencv-python", "requests", "matplotlib", "tqdm", "fvcore", "packaging"
        ),
        ("setuptools==79.0.1", "wheel"),  # mmcv 1.x is built with pkg_resources, which newer ones lack
        ("--no-deps", "--no-build-isolation", "-c", str(CONSTRAINTS[1]), "mmcv"),
    ),
    # mmcv 1.x imports torchvision for its zoo of weights, which nothing here uses.
    "import sys, types; sys.modules['torchvision'] = types.ModuleType('torchvision'); import pyskl.datasets",
    ("tests/compat/test_pyskl.py",),
)


def environment(project: Project, folder: Path) -> Path:
    """Make the project's environment, or take the one that was made of the same packages; return its Python."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / ".installed"
    wanted = repr(project.installs) + "".join(path.read_text(encoding="utf-8") for path in CONSTRAINTS)
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    print(f"Installing {project.name} into {folder} (with PyTorch: some minutes)", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    for arguments in project.installs:
        subprocess.run([python, "-m", "pip", "install", "-q", *arguments], env=SETTINGS, check=True)
    done.write_text(wanted, encoding="utf-8")
    return python


def run(project: Project, folder: Path, arguments: list[str], source: Path | None = None) -> int:
    """Run the project's tests in its environment; return pytest's exit status."""
    python = environment(project, folder / project.name)
    found = {"PYTHONPATH": os.pathsep.join(str(path) for path in (ROOT, source) if path)}
    settings = SETTINGS | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"} | found
    probe = subprocess.run([python, "-W", "ignore", "-c", project.probe], env=settings, cwd=ROOT)
    if probe.returncode:
        sys.exit(f"interop: {project.name} cannot be imported, see above")
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *project.tests, *arguments]
    return subprocess.run(command, env=settings, cwd=ROOT).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=ROOT / ".interop", help="where the environments are")
    names = [project.name for project in (MMACTION2, LIGHTNING, PYSKL)]
    parser.add_argument("--only", choices=names, help="one of them, the others not")
    parser.add_argument("--pyskl", type=Path, help="a copy of the repository of PYSKL")
    given, arguments = parser.parse_known_args()
    if given.pyskl is not None and not (given.pyskl / "pyskl" / "__init__.py").is_file():
        parser.error(f"--pyskl {given.pyskl}: there is no pyskl/__init__.py in it")
    if given.only == "pyskl" and given.pyskl is None:
        parser.error("--only pyskl: name a copy of its repository with --pyskl")

    status = 0
    for project, source in ((MMACTION2, None), (LIGHTNING, None), (PYSKL, given.pyskl)):
        if given.only in (None, project.name) and (source is not None or project is not PYSKL):
            status = run(project, given.env, arguments, source and source.resolve()) or status
    if given.pyskl is None:
        print("PYSKL was not tested: name a copy of its repository with --pyskl")
    if "SKELAUG_PEERS" not in os.environ:
        print("The feeders' own code was not tested: name a folder with copies of their repositories in SKELAUG_PEERS")
    sys.exit(status)


if __name__ == "__main__":
    main()
