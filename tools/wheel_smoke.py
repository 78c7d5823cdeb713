"""Build the wheel, install it into an empty environment and use it from outside the repository."""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
# As URIs, for pip splits these at spaces. pip < 25.3 reads the first for its build environments, newer pips the second.
PINNED = {"PIP_CONSTRAINT": CONSTRAINTS.as_uri(), "PIP_BUILD_CONSTRAINT": CONSTRAINTS.as_uri()}

# What the page of skelaug preview is made of.
PAGE = [
    f"skelaug/preview/{name}"
    for name in ("viewer.html", "viewer.css", "viewer.js", "vendor/three.min.js", "vendor/LICENSE")
]

SMOKE = """
import torch
import skelaug
import skelaug_contrib

assert "site-packages" in skelaug.__file__, skelaug.__file__
x = torch.randn(4, 3, 50, 25, 2)
y = skelaug.transforms.Shear(0.5)(x)
assert y.shape == x.shape and not torch.equal(x, y)
policy = skelaug.policies.hiclr(skelaug.skeletons["ntu25"])
views = policy.views(x)
assert len(views) == len(policy) > 1
motion = skelaug.sample_motion()
page = skelaug.plot.view(motion[:1], skelaug.policies.hiclr("humanoid15"), seeds=[0])
assert "SKELAUG_THREE" in page.html
assert motion.x.ndim == 5 and motion.x.isfinite().all() and motion.x.any()
encoder = skelaug_contrib.encoders.STGCN(skelaug.skeletons["ntu25"], widths=(8, 8))
loss = skelaug_contrib.HiCLR(encoder, policy, queue_size=16)(x)["loss"]
loss.backward()
assert loss.isfinite()
print("policy:", *policy.names)
print("sample motion:", tuple(motion.x.shape))
"""


def run(*command: object, cwd: Path) -> None:
    subprocess.run([str(part) for part in command], cwd=cwd, env=os.environ | PINNED, check=True)


def capture(*command: object, cwd: Path) -> tuple[int, str]:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def check(holds: bool, message: str) -> None:
    if not holds:
        sys.exit(f"wheel smoke test: {message}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)

        # sdist first, wheel from it: what is missing from either shows.
        run(sys.executable, "-m", "build", "--outdir", work / "dist", ROOT, cwd=work)
        (wheel,) = (work / "dist").glob("skelaug-*.whl")
        names = set(zipfile.ZipFile(wheel).namelist())
        for needed in ("skelaug/py.typed", "skelaug_contrib/py.typed", "skelaug_contrib/configs/small.yaml", *PAGE):
            check(needed in names, f"{needed} is not in {wheel.name}")
        tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
        check(tops == {"skelaug", "skelaug_contrib"}, f"{wheel.name} holds {sorted(tops)}")

        venv.create(work / "env", with_pip=True)
        binaries = work / "env" / ("Scripts" if os.name == "nt" else "bin")
        run(binaries / "python", "-m", "pip", "install", "-qq", "-c", CONSTRAINTS, wheel, cwd=work)

        (work / "smoke.py").write_text(SMOKE)
        run(binaries / "python", "-I", work / "smoke.py", cwd=work)

        # Without extras: help works, and a command says what it needs.
        status, text = capture(binaries / "skelaug", "--help", cwd=work)
        check(status == 0 and "demo" in text, f"skelaug --help exited with {status}:\n{text}")
        tiny = "bench --batch 2 --frames 8 --rounds 2 --sections floor view loss --queue 64"
        status, text = capture(binaries / "skelaug", *tiny.split(), cwd=work)
        check(status == 0 and "x.clone()" in text, f"skelaug bench exited with {status}:\n{text}")
        status, text = capture(binaries / "skelaug", "demo", cwd=work)
        hint = "pip install 'skelaug["
        check(
            status != 0 and hint in text and "Traceback" not in text,
            f"skelaug demo without its extras should fail and name {hint}…]', but exited with {status}:\n{text}",
        )
        print(f"wheel smoke test: {wheel.name} passed")


if __name__ == "__main__":
    main()
