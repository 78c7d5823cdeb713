"""The preview page, without a browser: what it says is what the policy did, and nothing in it reaches outside."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skelaug
from skelaug import Compose, GrowingPolicy, SkeletonBatch, plot, policies, preview, sample_motion, skeletons
from skelaug import transforms as T
from skelaug.arrays import SequenceFile
from skelaug.cli import main
from skelaug.preview import Slider, make_scene
from skelaug.preview.page import pack
from skelaug.preview.trace import ABSENT, FILLED, GONE, LOST, MASKED, NEW, ONE_WAY, SHOWN, trace

BONES = skeletons["humanoid15"]
KEYS = skelaug.random.keys(0, 0, range(3))
XYZ = (0, 1, 2)


@pytest.fixture(scope="module")
def clips() -> SkeletonBatch:
    return SkeletonBatch.cat([sample_motion([name], length=32)[:1] for name in ("walk", "kick", "jump")])


@pytest.fixture(scope="module")
def pair(clips: SkeletonBatch) -> SkeletonBatch:
    """Two persons, the second absent from some frames."""
    x = torch.cat([clips.x, clips.x + clips.mask[:, None]], -1)
    mask = torch.cat([clips.mask, clips.mask], -1)
    mask[:, :5, :, 1] = False
    return SkeletonBatch(x, mask)


def scene_of(batch: SkeletonBatch, policy: Any, **more: Any) -> preview.Scene:
    return make_scene(batch, policy, **{"skeleton": BONES, "seeds": (0, 1)} | more)


# --- what is told of a view -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["independent", "nested"])
def test_views_are_those_of_the_policy(clips: SkeletonBatch, mode: str) -> None:
    policy = policies.hiclr(BONES).with_(mode=mode)
    for view, expected in zip(policy, policy.views(clips, keys=KEYS), strict=True):
        found = trace(view, clips, KEYS, XYZ)
        shown = (found.state == SHOWN)[:, None].expand_as(found.x)
        assert shown.any() and torch.allclose(found.x[shown], expected.x[shown], atol=1e-5)
        assert torch.equal(found.state != ABSENT, expected.mask)


def test_strength_is_the_policys(clips: SkeletonBatch) -> None:
    policy = policies.hiclr(BONES)
    scene = scene_of(clips, policy)
    assert scene.strength == [policy.strength(clips, keys=skelaug.random.keys(s, 0, range(3))).tolist() for s in (0, 1)]
    one = scene_of(clips[:1], policy)
    for found, track in zip(one.strength[0], one.clips[0].views[0], strict=True):
        assert track.strength == pytest.approx(found, rel=1e-4)
    alone = scene_of(clips, Compose([T.Shear(0.3)]))
    assert alone.names == ("augmented",) and alone.strength[0][0] > 0


@pytest.mark.parametrize("fill", [0.0, 0.7, "mean", "token"])
@pytest.mark.parametrize("kind", [T.JointMask, T.JointTimeMask])
def test_masked_joints_are_those_of_the_params(kind: Any, fill: Any, pair: SkeletonBatch) -> None:
    mask = kind(fill=fill)
    view = Compose([T.Rotate(30), mask])
    found = trace(view, pair, KEYS, XYZ)
    params = view.sample(pair, keys=KEYS)["members"][1]
    expected = params["mask"][..., None].expand_as(pair.mask) & pair.mask
    assert expected.any() and torch.equal(found.state == MASKED, expected)
    bare = Compose([T.Rotate(30)])(pair, keys=KEYS)
    assert torch.allclose(found.x, bare.x, atol=1e-5), "a masked joint is drawn where it would have been"


@pytest.mark.parametrize("after", [None, "reverse", "noise"])
@pytest.mark.parametrize(("fill", "state"), [("zero", MASKED), ("hold", FILLED), ("interpolate", FILLED)])
def test_dropped_frames_are_those_of_the_params(fill: str, state: int, after: str | None, clips: SkeletonBatch) -> None:
    view = Compose(
        [
            T.DropFrame(0.3, fill=fill),
            *{"reverse": [T.Reverse(p=1.0)], "noise": [T.GaussianNoise(0.1)]}.get(after or "", []),
        ]
    )
    found = trace(view, clips, KEYS, XYZ)
    drop = view.sample(clips, keys=KEYS)["members"][0]["drop"]
    expected = (drop[..., None, None] & clips.mask).long()
    if after == "reverse":
        lengths = clips.presence.sum((1, 2)).tolist()
        expected = torch.stack([torch.cat([e[:n].flip(0), e[n:]]) for e, n in zip(expected, lengths, strict=True)])
    assert expected.any() and torch.equal((found.state == state).long(), expected)


def test_who_is_taken_away_is_told_from_who_was_never_there(pair: SkeletonBatch) -> None:
    found = trace(T.PersonDrop(p=1.0), pair, KEYS, XYZ)
    dropped = T.PersonDrop(p=1.0).sample(pair, keys=KEYS)["drop"]
    gone = dropped[:, None, None] & pair.mask
    assert torch.equal(found.state == GONE, gone) and torch.equal(found.x, pair.x)
    assert torch.equal(found.state == ABSENT, ~pair.mask)


def test_a_joint_that_centring_puts_at_zero_is_not_masked(clips: SkeletonBatch) -> None:
    found = trace(Compose([T.Center(BONES), T.SubtractJoint(p=1.0)]), clips, KEYS, XYZ)
    assert torch.equal(found.state == SHOWN, clips.mask)


def test_edges(clips: SkeletonBatch) -> None:
    lost = trace(T.DropEdges(0.4, BONES), clips, KEYS, XYZ).edges
    new = trace(T.AddEdges(0.1, BONES), clips, KEYS, XYZ).edges
    assert {how for edges in lost for *_, how in edges} <= {LOST, ONE_WAY} and all(lost)
    assert {how for edges in new for *_, how in edges} == {NEW}
    bones = {frozenset(bone) for bone in BONES.bones}
    assert all(frozenset(edge[:2]) in bones for edges in lost for edge in edges)


def test_other_lengths_and_streams(clips: SkeletonBatch) -> None:
    policy = GrowingPolicy(basic=[T.CropResize((0.5, 1.0), length=20)], strong=[T.JointMask(0.2)])
    scene = scene_of(clips, policy)
    for track in scene.clips[0].views[0]:
        assert track.moved is None and track.places.shape[0] == scene.clips[0].original.places.shape[0]
    for stream, kind in (("bone", "bone"), ("motion", "motion"), ("bone_motion", "motion")):
        scene = scene_of(clips, policies.hiclr(BONES, stream=stream))
        assert scene.vectors == kind and scene.clips[0].views[0][0].moved is not None
    still = scene_of(clips, GrowingPolicy(basic=[T.Shear(0)], stream=T.Bone(BONES)))
    track, original = still.clips[0].views[0][0], still.clips[0].original
    there = original.state == SHOWN
    assert torch.allclose(track.places[there], original.places[there], atol=1e-5), "a bone ends where its joint is"


@pytest.mark.parametrize(("up", "axis", "sign"), [("y", 1, 1), ("-y", 1, -1), ("z", 2, 1), ("-x", 0, -1)])
def test_up_is_y_on_the_page(up: str, axis: int, sign: int, clips: SkeletonBatch) -> None:
    track = scene_of(clips, None, up=up).clips[0].original
    frames = len(track.places)
    expected = sign * clips.x[0, axis, :frames].permute(0, 2, 1)
    assert torch.equal(track.places[..., 1], expected)


def test_frames_are_thinned_out_and_padding_is_left_out() -> None:
    batch = sample_motion(["walk", "cartwheel"])
    scene = scene_of(batch, None, frames=16, seeds=(0,))
    for i, clip in enumerate(scene.clips):
        valid = int(batch.presence[i].sum())
        assert len(clip.original.places) <= 16 and clip.every == -(-valid // 16)
        assert (clip.original.state == SHOWN).all()
        assert torch.equal(clip.original.places[:, 0, 0], batch.x[i, :, : valid : clip.every, 0, 0].T)


def test_the_first_view_is_from_the_front(clips: SkeletonBatch) -> None:
    x, z = scene_of(clips, None).clips[0].front
    assert x > 0.9 and abs(z) < 0.4, "bundled clips face +x"


# --- what is packed -------------------------------------------------------------------------------------------------


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def places_of(about: dict[str, Any], clip: dict[str, Any], track: dict[str, Any], numbers: bytes) -> Any:
    """What the page's script makes of the bytes of a track."""
    axes, each = (2 if about["flat"] else 3), clip["persons"] * len(about["skeleton"]["joints"])
    count = track["frames"] * each * axes
    low, high = (
        np.frombuffer(numbers, np.uint8, count, track["at"] + part * count).astype(np.uint16) for part in (0, 1)
    )
    steps = (low | high << 8).astype(np.int16).reshape(track["frames"], clip["persons"], -1, axes)
    return steps.cumsum(0, dtype=np.int16) * clip["step"] + np.array(clip["centre"])


@pytest.mark.parametrize("scale", [1.0, 1000.0, 1e-3])
@pytest.mark.parametrize("coords", [(0, 1, 2), (0, 1)])
def test_numbers_come_back_within_half_a_step(coords: tuple[int, ...], scale: float, pair: SkeletonBatch) -> None:
    policy = Compose([T.Shear(0.5, coords=coords), T.JointMask(0.2)])
    scene = scene_of(pair.replace(x=pair.x * scale), policy, coords=coords, slider=Slider.of(policy))
    about, numbers, marks = pack(scene)
    places, states = unpacked(numbers), unpacked(marks)
    json.dumps(about, allow_nan=False)
    for clip, told in zip(scene.clips, about["clips"], strict=True):
        assert told["step"] < 1e-3 * told["body"]
        pairs = [(clip.original, told["original"]), *zip(clip.steps, told["steps"], strict=True)]
        pairs += [both for seed in (0, 1) for both in zip(clip.views[seed], told["views"][seed], strict=True)]
        for track, packed in pairs:
            there = track.state != ABSENT
            found = places_of(about, told, packed, places)
            assert np.abs(found - track.places.numpy())[there].max() <= 0.51 * told["step"] + 1e-6 * scale
            size = track.state.numel()
            state = np.frombuffer(states, np.uint8, size, packed["mark"]).reshape(track.state.shape)
            assert np.array_equal(state, track.state.numpy())
            if track.moved is not None:
                level = np.frombuffer(states, np.uint8, size, packed["mark"] + size).reshape(track.state.shape)
                expected = track.moved.nan_to_num(0).clamp(max=about["most"]).numpy() / about["most"] * 255
                assert np.abs(level - expected).max() < 0.51


def test_six_clips_of_four_views_and_two_persons_stay_below_three_megabytes() -> None:
    bones = skeletons["ntu25"]
    batch = skelaug.synthetic_motion(bones, 6, 64, persons=2, generator=torch.Generator().manual_seed(0))
    stages = {name: [T.Rotate(20), T.GaussianNoise(0.01)] for name in ("a", "b", "c", "d")}
    page = plot.view(batch, GrowingPolicy(stages), bones)
    assert 0.6e6 < len(page.html.encode()) < 3e6


def test_an_empty_clip_and_one_frame(clips: SkeletonBatch) -> None:
    nobody = SkeletonBatch(torch.zeros(1, 3, 4, 15, 1))
    assert "nobody" in plot.view(nobody, policies.hiclr(BONES), BONES).html
    assert len(plot.view(SkeletonBatch(clips.x[:, :, :1]), T.Shear(0.1), BONES).html) > 500_000


# --- the page -------------------------------------------------------------------------------------------------------


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_no_name_ends_its_script(clips: SkeletonBatch) -> None:
    evil = "</script><script>alert(1)</script><!--{{scripts}} & \u2028\U0001f483"
    bones = skelaug.Skeleton(evil, tuple(f"{evil}{i}" for i in range(15)), BONES.parents)
    plain = plot.view(clips, T.Shear(0.1), BONES, seeds=[0]).html
    page = plot.view(clips, T.Shear(0.1), bones, names=[evil] * 3, title=evil, seeds=[0]).html
    assert page.count("<script") == plain.count("<script") == 8 and page.count("</script") == 8
    told = data_of(page)
    assert told["title"] == evil and told["clips"][0]["name"] == evil and told["skeleton"]["name"] == evil
    assert f"<title>{html.escape(evil)}</title>" in page


def test_only_the_pages_own_scripts_may_run_and_nothing_is_asked_for(clips: SkeletonBatch) -> None:
    page = plot.view(clips, policies.hiclr(BONES)).html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert policy and policy[1].startswith("default-src 'none'; ") and "unsafe" not in policy[1]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert (len(scripts), len(styles)) == (5, 1)
    for text in [*scripts, *styles]:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy[1]
    outside = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\b(src|href|action|on\w+)=|\bstyle=|https?://", outside)


def test_the_bundle_is_three_with_its_licence() -> None:
    folder = Path(preview.__file__).parent / "vendor"
    assert (folder / "VERSION").read_text().startswith("three 0.187.")
    assert "MIT License" in (folder / "LICENSE").read_text() and "three.js authors" in (folder / "LICENSE").read_text()
    bundle = (folder / "three.min.js").read_text()
    assert (folder / "LICENSE").read_text() in bundle, "every page holds it"
    assert len(bundle) < 1e6 and "var SKELAUG_THREE=" in bundle and "</script" not in bundle.lower()
    exported = (Path(__file__).parents[1] / "tools" / "three_entry.js").read_text()
    used = set(re.findall(r"\bT3\.(\w+)", "".join(p.read_text() for p in folder.parent.glob("*.js"))))
    assert used == set(re.findall(r"^  (\w+),$", exported, re.MULTILINE)) | {"OrbitControls"}, "only what is used"


def test_a_notebook_shows_the_page_in_a_frame(clips: SkeletonBatch) -> None:
    page = plot.view(clips, height=500)
    frame = page._repr_html_()
    srcdoc = re.search(r'srcdoc="(.*?)"', frame, re.DOTALL)
    assert srcdoc and html.unescape(srcdoc[1]) == page.html and 'sandbox="allow-scripts"' in frame and "500px" in frame


@pytest.mark.parametrize("kind", [str, Path])
def test_save(kind: Any, clips: SkeletonBatch, tmp_path: Path) -> None:
    page, target = plot.view(clips), tmp_path / "new" / "page.html"
    page.save(kind(target))
    plot.view(clips[:1]).save(kind(target))
    assert len(data_of(target.read_text("utf-8"))["clips"]) == 1, "an older page is replaced"
    assert [file.name for file in target.parent.iterdir()] == ["page.html"]
    target.write_text("precious")
    with pytest.raises(FileExistsError, match="no page that skelaug wrote"):
        page.save(kind(target))
    with pytest.raises(FileExistsError):
        page.save(kind(tmp_path / "new"))
    assert target.read_text() == "precious"
    for wrong in (None, 3):
        with pytest.raises(TypeError, match=r"Page\.save"):
            page.save(wrong)  # type: ignore[arg-type]


# --- skelaug.plot.view ----------------------------------------------------------------------------------------------


def test_whose_skeleton_is_meant(clips: SkeletonBatch) -> None:
    def told(*given: Any, **more: Any) -> Any:
        return data_of(plot.view(*given, **more).html)["skeleton"]

    x = SkeletonBatch(torch.randn(1, 3, 4, 25, 1))
    assert told(clips)["name"] == "humanoid15", "the only one with 15 joints"
    assert told(x)["name"] is None and told(x)["bones"] == [], "several have 25 joints: none is guessed"
    assert told(x, policies.hiclr("ntu25"))["name"] == "ntu25"
    assert told(x, T.SwapSides("body25"))["name"] == "body25" and told(x, skeleton="ntu25")["name"] == "ntu25"


def test_what_is_chosen_of_a_batch(clips: SkeletonBatch) -> None:
    many = SkeletonBatch.cat([clips] * 5)
    told = data_of(plot.view(many).html)
    assert [clip["name"] for clip in told["clips"]] == [f"clip {i}" for i in (0, 2, 5, 8, 11, 14)]
    assert told["source"] == "6 of 15 clips"
    policy = policies.hiclr(BONES)
    told = data_of(
        plot.view(many, policy, samples=[7, 1], names=["a", "b"], seeds=[5], slider="Rotate.degrees=0:60").html
    )
    assert [clip["name"] for clip in told["clips"]] == ["a", "b"] and told["seeds"] == [5]
    assert told["slider"] == {"name": "Rotate.degrees", "values": [0, 15, 30, 45, 60]}
    assert eval(told["python"], vars(skelaug) | vars(T)).names == policy.names
    assert repr(skelaug.config.from_yaml(told["yaml"])) == repr(policy)
    assert data_of(plot.view(many, policy, slider=False).html)["slider"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": [3]}, "samples"),
        ({"samples": []}, "at least one"),
        ({"seeds": []}, "at least one"),
        ({"seeds": 1}, "seeds"),
        ({"names": ["a"]}, "one name a sample, 3"),
        ({"names": "abc"}, "one name a sample"),
        ({"skeleton": "ntu25"}, "25 joints"),
        ({"skeleton": "ntu24"}, "ntu25"),
        ({"coords": 1}, "1"),
        ({"coords": 9}, "only 3 channels"),
        ({"up": "w"}, "up"),
        ({"fps": 0}, "fps"),
        ({"frames": 0}, "frames"),
        ({"height": -1}, "height"),
        ({"policy": T.Shear(0.1), "slider": "Shear"}, r"Rotate\.degrees=0:60"),
        ({"policy": T.Shear(0.1), "slider": "Rotate.degrees=0:1"}, "has no Rotate; it has Shear"),
        ({"policy": T.Shear(0.1), "slider": "Shear.size=0:1"}, "has no size; it has amount"),
        ({"policy": T.JointMask(0.1), "slider": "JointMask.ratio=0:3"}, "ratio"),
    ],
)
def test_wrong_arguments(given: dict[str, Any], message: str, clips: SkeletonBatch) -> None:
    with pytest.raises(ValueError, match=message):
        plot.view(clips, **given)


@pytest.mark.parametrize("given", [{"batch": [[1.0]]}, {"policy": "hiclr"}, {"title": 3}, {"slider": 3}])
def test_wrong_types(given: dict[str, Any], clips: SkeletonBatch) -> None:
    with pytest.raises(TypeError, match=next(iter(given))):
        plot.view(**{"batch": clips, "policy": T.Shear(0.1)} | given)


def test_sliders() -> None:
    for policy, name in (
        (policies.hiclr(BONES), "Shear.amount"),
        (T.JointMask(0.7), "JointMask.ratio"),
        (T.Mirror(BONES), None),
    ):
        found = Slider.of(policy)
        assert (found and found.name) == name
    assert Slider.of(T.JointMask(0.7)).values[-1] == 1  # type: ignore[union-attr]
    scale = Slider.of(T.Scale((0.8, 1.2)), "Scale.factor=0.5:1.5")
    assert scale and repr(scale.transforms[0]) == "Scale((0.5, 0.5))"


# --- skelaug preview ------------------------------------------------------------------------------------------------


def run(*arguments: object) -> int:
    return main(["preview", *map(str, arguments)])


def test_the_command_on_the_bundled_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.html"
    assert run("-o", out, "--draws", 1) == 0
    text = capsys.readouterr().out
    assert "strength" in text and "strong" in text and "6 clips" in text
    told = data_of(out.read_text("utf-8"))
    assert [clip["name"] for clip in told["clips"]][:2] == ["walk", "kick"] and told["views"][2]["name"] == "strong"
    assert run("-o", out) == 1 and "--overwrite" in capsys.readouterr().err
    assert run("-o", out, "--overwrite", "--clips", "run,0", "--policy", "ctrgcn", "--slider", "none") == 0
    told = data_of(out.read_text("utf-8"))
    assert [clip["name"] for clip in told["clips"]] == ["run", "walk"] and told["slider"] is None


def test_the_command_on_a_file_makes_the_views_of_skelaug_views(tmp_path: Path) -> None:
    motion = skelaug.synthetic_motion(
        skeletons["kinect20"], 9, 20, persons=2, gaps=True, generator=torch.Generator().manual_seed(0)
    )
    np.save(tmp_path / "x.npy", skelaug.to_layout(motion.x, "NCTVM", "NMTVC", contiguous=True).numpy())
    more = [tmp_path / "x.npy", "--skeleton", "kinect20", "--layout", "NMTVC", "--seed", 4]
    assert run(*more, "-o", tmp_path / "a.html", "--clips", "7,2", "--fps", 15) == 0
    assert main(["views", *map(str, more), "--out", str(tmp_path / "views")]) == 0
    page = (tmp_path / "a.html").read_text("utf-8")
    told = data_of(page)
    numbers = re.search(r'id="numbers">(.*?)<', page)
    assert numbers and told["seeds"] == [4, 5, 6] and told["fps"] == 15
    saved, mask = (np.load(tmp_path / "views" / f"1_normal{end}.npy")[7] for end in ("", "_mask"))
    clip = told["clips"][0]
    found = places_of(told, clip, clip["views"][0][1], unpacked(numbers[1]))  # (T, M, V, 3)
    there = mask.transpose(0, 2, 1)[: len(found)]
    assert np.abs(found - saved.transpose(1, 3, 2, 0)[: len(found)])[there].max() < clip["step"] + 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.txt"], "HTML"),
        (["-o", "a.html", "--clips", "nobody"], "there are walk"),
        (["-o", "a.html", "--clips", "99"], "no such clip"),
        (["-o", "a.html", "--skeleton", "ntu25"], "--skeleton: is said of a file"),
        (["-o", "a.html", "--center"], "is said of a file"),
        (["-o", "a.html", "--policy", "nothing"], "nothing"),
        (["-o", "a.html", "--slider", "Rotate"], "Rotate.degrees=0:60"),
        (["missing.npy", "-o", "a.html", "--skeleton", "ntu25"], "no such file"),
        (["missing.npy", "-o", "a.html"], "--skeleton is needed"),
    ],
)
def test_the_command_refuses(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said and not list(tmp_path.iterdir())


def test_chosen_sequences_of_a_file_are_those_of_its_batches(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(7, 3, 5, 15, 1)).astype("float32")
    for name, save in (("a.npz", np.savez), ("b.npz", np.savez_compressed)):
        save(tmp_path / name, x=x, length=np.arange(7) % 5 + 1)
        file = SequenceFile.open(tmp_path / name)
        (every,) = file.batches(10)
        chosen = file.read([5, 0, 5])
        assert torch.equal(chosen.x, every.x[[5, 0, 5]]) and torch.equal(chosen.mask, every.mask[[5, 0, 5]])
        with pytest.raises(IndexError, match="no sequence 7; it holds 7"):
            file.read([7])
    np.save(tmp_path / "one.npy", x[3])
    assert torch.equal(SequenceFile.open(tmp_path / "one.npy", "CTVM").read([0]).x, torch.from_numpy(x[3:4]))
