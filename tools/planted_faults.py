"""Plant faults one at a time, and see that the tests turn red.

The faults are those that the field's code really has, and the shortcuts that this package once took. All work is done
in a copy; the checkout is not touched. Exits with 1 if a fault goes unnoticed.

    python tools/planted_faults.py [WORD ...]   # all faults, or those whose name holds one of the words
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
COMPOSITION = "tests/test_composition.py"
REPLAY = "tests/test_replay_checks.py"
BITS = "tests/test_bits.py"
DECLARATIONS = "tests/test_declarations.py"
SCORES = "tests/test_scores.py"
LABELS = "tests/test_labels.py"
FAULTS = (
    # --- what the field's code does ---
    Fault(
        "noise on absent people",
        "skelaug/functional/values.py",
        "noise, there = noise.to(x.dtype), fj.weights(_all_or(mask, x), x)",
        "noise, there = noise.to(x.dtype), torch.ones_like(x)",
        (CONFORMANCE, "-k", "absent_people and GaussianNoise"),
    ),
    Fault(
        "a draw shared by the batch",
        "skelaug/transforms/space.py",
        "fs.shear_matrix(rng.uniform(d * (d - 1), low=low, high=high))",
        "fs.shear_matrix(rng.uniform(d * (d - 1), low=low, high=high)[:1].expand(len(batch), -1))",
        (CONFORMANCE, "-k", "own_draw and Shear"),
    ),
    Fault(
        "a wrong rotation sense",
        "skelaug/functional/space.py",
        "return torch.stack(rows, 1).view(-1, 3, 3)",
        "return torch.stack(rows, 1).view(-1, 3, 3).mT",
        ("tests/transforms/test_space.py", "-k", "rotat or Rotat"),
    ),
    Fault(
        "the key view equal to view 0",
        "skelaug/policy.py",
        "_KEY_VIEW = -3",
        "_KEY_VIEW = 0",
        ("tests/test_policy.py", "-k", "key_view"),
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
        "skelaug/change.py",
        'parts["matrix"] = fs.chain(second.matrix, self.matrix)',
        'parts["matrix"] = fs.chain(self.matrix, second.matrix)',
        ("tests/test_change.py", "-k", "order_of_the_members"),
    ),
    Fault(
        "a style borrowed from oneself",
        "skelaug/transforms/values.py",
        "lender = order.gather(0, following.gather(0, rank))",
        "lender = order.gather(0, own.gather(0, rank))",
        ("tests/transforms/test_values.py",),
    ),
    Fault(
        "workers that repeat their draws",
        "skelaug/workers.py",
        "@functools.lru_cache(maxsize=1)",
        "@functools.lru_cache(maxsize=0)",
        ("tests/compat/test_workers.py", "-k", "comes_twice_where"),
    ),
    # --- shortcuts of earlier versions of this package ---
    Fault(
        "a member's draw that overwrites the data",
        "skelaug/change.py",
        "return x is not batch_x and not host.differentiated(x)",
        "return not host.differentiated(x)",
        (COMPOSITION, "-k", "sampling_changes_no_batch and Scale"),
    ),
    Fault(
        "a branch that overwrites the input",
        "skelaug/compose.py",
        "scratch = None if out.x is batch.x or host.differentiated(out.x) else out.x",
        "scratch = None if host.differentiated(out.x) else out.x",
        (COMPOSITION, "-k", "sampling_changes_no_batch and OneOf"),
    ),
    Fault(
        "presence that is not moved between members",
        "skelaug/members.py",
        "observed = Presence(lambda: _change(member, params).only(*change.MAPS).moved(before).seen)",
        "observed = before",
        (COMPOSITION, "-k", "reverse_before_another_time_map and False"),
    ),
    Fault(
        "presence that is not moved by a nested container",
        "skelaug/members.py",
        "elif member.moves_presence:\n            batch,",
        "elif member.moves_presence and not isinstance(member, Iterable):\n            batch,",
        (COMPOSITION, "-k", "reverse_before_another_time_map and True"),
    ),
    Fault(
        "a stale outline for a nested container",
        "skelaug/members.py",
        "member.data_dependent or (member.moves_presence and not member.linear) for member in members",
        "member.data_dependent for member in members",
        (COMPOSITION, "-k", "after_a_presence_that_reads_data"),
    ),
    Fault(
        "gated-out samples as x + 0",
        "skelaug/gate.py",
        "return x.index_copy_(0, others, old.index_select(0, others)) if others.shape[0] else x",
        "return x.index_copy_(0, others, old.index_select(0, others) + 0) if others.shape[0] else x",
        (BITS, "-k", "no_member_on"),
    ),
    Fault(
        "absent entries of -0.0",
        "skelaug/functional/space.py",
        "return y.add_(0.0).view(x.shape)",
        "return y.view(x.shape)",
        (BITS, "-k", "absent_entries and Shear"),
    ),
    Fault(
        "a replay that does not check T",
        "skelaug/params.py",
        'expected = [None if axis == "*" else',
        'expected = [None if axis in ("*", "T") else',
        (REPLAY, "-k", "know_its_length"),
    ),
    Fault(
        "indices that are not clamped to their sample",
        "skelaug/functional/time.py",
        "frames.clamp(0, t - 1)[:, None]",
        "frames[:, None]",
        (REPLAY, "-k", "compiled_indices and TemporalCrop"),
    ),
    Fault(
        "the default dtype in a draw",
        "skelaug/random.py",
        "halves = torch.empty(*words.shape[:-1], 2, count, dtype=torch.float32, device=words.device)",
        "halves = torch.empty(*words.shape[:-1], 2, count, device=words.device)",
        ("tests/test_random.py", "-k", "dtype_or_device and float64"),
    ),
    Fault(
        "the default device in a draw",
        "skelaug/random.py",
        "counter = torch.arange(first, first + count, device=keys.device)",
        "counter = torch.arange(first, first + count)",
        ("tests/test_random.py", "-k", "dtype_or_device and meta"),
    ),
    Fault(
        "equal scores ordered by position",
        "skelaug/transforms/values.py",
        "order = digest.argsort(stable=True, dim=0)",
        "order = torch.zeros_like(digest).argsort(stable=True, dim=0)",
        ("tests/test_space_edges.py", "-k", "equal_scores"),
    ),
    Fault(
        "a present frame lost beside a gap",
        "skelaug/functional/time.py",
        "_ON_A_FRAME = 2.0**-12",
        "_ON_A_FRAME = 0.0",
        ("tests/test_rounding.py",),
    ),
    Fault(
        "a wrong declaration: presence does not move",
        "skelaug/transforms/joints.py",
        'moves_presence = True\n    shapes = "drop: bool N M"',
        'moves_presence = False\n    shapes = "drop: bool N M"',
        (DECLARATIONS, "-k", "PersonDrop"),
    ),
    Fault(
        "a wrong declaration: linear",
        "skelaug/transforms/values.py",
        "self.linear = not relative",
        "self.linear = True",
        (DECLARATIONS, "-k", "GaussianNoise"),
    ),
    Fault(
        "a wrong declaration: the draw reads no data",
        "skelaug/transforms/values.py",
        'data_dependent = True\n    shapes = "mean: N D 1 1 M',
        'data_dependent = False\n    shapes = "mean: N D 1 1 M',
        (DECLARATIONS, "-k", "SkeleAdaIN"),
    ),
    # --- channels that are no coordinates ---
    Fault(
        "a score is blurred",
        "skelaug/change.py",
        "_on(x, batch.x, coords, ft.blur_frames, change.kernel",
        "_on(x, batch.x, None, ft.blur_frames, change.kernel",
        (SCORES, "-k", "by_hand"),
    ),
    Fault(
        "a preset keeps its coords to itself",
        "skelaug/policies.py",
        'return with_coords(policy, coords, "crossclr", vectors)',
        "return policy",
        (SCORES, "-k", "crossclr"),
    ),
    Fault(
        "what fills a joint is written into its score",
        "skelaug/transforms/joints.py",
        "rest = x if len(channels) == x.shape[1] else fj.fill_joints(x, chosen, 0.0)",
        "rest = x",
        (SCORES, "-k", "by_hand"),
    ),
    Fault(
        "a bone has the higher of the scores of its ends",
        "skelaug/functional/joints.py",
        "lower = torch.minimum(x, take_joints(",
        "lower = torch.maximum(x, take_joints(",
        (SCORES, "-k", "by_hand"),
    ),
    Fault(
        "vectors are shifted",
        "skelaug/transforms/space.py",
        "if channels not in (self.vectors or ()):",
        "if True:",
        (SCORES, "-k", "vectors"),
    ),
    Fault(
        "a transform in a worker draws from torch's generator",
        "skelaug/workers.py",
        'source["generator"] = worker_generator()',
        'source["generator"] = None',
        ("tests/compat/test_workers.py", "-k", "seeds_torch"),
    ),
    # --- labels ---
    Fault(
        "labels of frames stay where they are",
        "skelaug/change.py",
        "label = batch.label if batch.frame_label is None else change.move_label(batch.frame_label)",
        "label = batch.label",
        (LABELS, "-k", "take_their_labels and Reverse"),
    ),
    Fault(
        "a label of two equally near frames is the later one's",
        "skelaug/functional/time.py",
        "return (position - 0.5).ceil().long()",
        "return (position + 0.5).floor().long()",
        (LABELS, "-k", "ties"),
    ),
    Fault(
        "the label of a frame that was removed stays at the end",
        "skelaug/transforms/time.py",
        "label=labels.without(labels.take_frames(batch.frame_label, frames), ~stays)",
        "label=labels.take_frames(batch.frame_label, frames)",
        (LABELS, "-k", "take_their_labels and remove"),
    ),
    Fault(
        "columns of one-hot labels are compared with class numbers",
        "skelaug/labels.py",
        'if axis == "class":\n        if highest',
        'if axis == "none":\n        if highest',
        (LABELS, "-k", "exchanges_columns"),
    ),
)


def pytest(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout


def main() -> int:
    words = sys.argv[1:]
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    if not chosen:
        sys.exit(f"no fault's name holds one of {words}; there are: {', '.join(fault.name for fault in FAULTS)}")
    unnoticed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "copy"
        ignored = shutil.ignore_patterns(".*", "out", "docs", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for fault in chosen:
            path = copy / fault.file
            sound = path.read_text(encoding="utf-8")
            if sound.count(fault.right) != 1:
                sys.exit(f"{fault.file}: the line to break is not there exactly once: {fault.right}")
            status, text = pytest(copy, fault.tests)
            if status != 0:
                sys.exit(f"{fault.name}: {' '.join(fault.tests)} fails without any fault:\n{text}")
            path.write_text(sound.replace(fault.right, fault.wrong), encoding="utf-8")
            status, text = pytest(copy, fault.tests)
            path.write_text(sound, encoding="utf-8")
            failed = re.search(r"^FAILED (\S+)", text, re.MULTILINE)
            unnoticed += status != 1
            print(
                f"{'red' if status == 1 else 'UNNOTICED':10} {fault.name:48} {failed.group(1) if failed else ''}",
                flush=True,
            )
    print(f"{len(chosen) - unnoticed} of {len(chosen)} planted faults turn a test red")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
