"""Plant faults that the field's code really has, one at a time, and see that the tests turn red.

Works on a copy; the checkout is not touched. Exits with 1 if a fault goes unnoticed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fault:
    """What is changed where, and the tests that are run against it."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


CONFORMANCE = "tests/test_conformance.py"
FAULTS = (
    Fault(
        "noise on absent people",
        "skelaug/functional/joints.py",
        "torch.addcmul(x, value, there)",
        "x + value",
        (CONFORMANCE, "-k", "absent_people and GaussianNoise"),
    ),
    Fault(
        "a draw shared by the batch",
        "skelaug/transforms/space.py",
        '"matrix": fs.embed(rng.numbers.view(len(batch), d, d), ',
        '"matrix": fs.embed(rng.numbers[:1].expand(len(batch), -1).unflatten(1, (d, d)), ',
        (CONFORMANCE, "-k", "own_draw and Shear"),
    ),
    Fault(
        "a wrong rotation sense",
        "skelaug/functional/space.py",
        "return torch.addcmul(a * b * c, d, e).view(-1, 3, 3)",
        "return torch.addcmul(a * b * c, d, e).view(-1, 3, 3).mT",
        ("tests/transforms/test_space.py",),
    ),
    Fault(
        "the key view equal to view 0",
        "skelaug/policy.py",
        "_KEY_VIEW = -3",
        "_KEY_VIEW = 0",
        ("tests/test_policy.py",),
    ),
    Fault(
        "a hidden .item()",
        "skelaug/functional/space.py",
        "flat, a = x.flatten(2), matrix.to(x.dtype)[..., None]",
        "flat, a = x.flatten(2), (matrix * (1.0 if matrix.sum().item() else 1.0)).to(x.dtype)[..., None]",
        (CONFORMANCE, "-k", "host_sync and Shear"),
    ),
    Fault(
        "a fused run in the wrong order",
        "skelaug/linear.py",
        'out["matrix"] = fs.chain(second["matrix"], first["matrix"])',
        'out["matrix"] = fs.chain(first["matrix"], second["matrix"])',
        ("tests/test_linear.py",),
    ),
    Fault(
        "a style borrowed from oneself",
        "skelaug/transforms/values.py",
        "order.gather(0, (rank + 1) % total.clamp(min=1))",
        "order.gather(0, rank)",
        ("tests/transforms/test_values.py",),
    ),
)


def pytest(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout


def main() -> int:
    unnoticed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "copy"
        ignored = shutil.ignore_patterns(".*", "out", "docs", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for fault in FAULTS:
            path = copy / fault.file
            sound = path.read_text(encoding="utf-8")
            if sound.count(fault.right) != 1:
                sys.exit(f"{fault.file}: the line to break is not there exactly once: {fault.right}")
            status, _ = pytest(copy, fault.tests)
            if status != 0:
                sys.exit(f"{fault.name}: {' '.join(fault.tests)} fails without any fault")
            path.write_text(sound.replace(fault.right, fault.wrong), encoding="utf-8")
            status, text = pytest(copy, fault.tests)
            path.write_text(sound, encoding="utf-8")
            found = re.search(r"^FAILED (\S+)", text, re.MULTILINE)
            unnoticed += status != 1
            print(
                f"{'red' if status == 1 else 'UNNOTICED':10} {fault.name:32} {found.group(1) if found else ''}",
                flush=True,
            )
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
