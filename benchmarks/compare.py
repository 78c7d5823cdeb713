"""Two runs as ratios: what got slower, what faster."""

from __future__ import annotations

from typing import Any

from skelaug_contrib.bench import Row


def main(old: dict[str, Any], new: dict[str, Any], tolerance: float, *, by_clone: bool = False) -> int:
    """Print every row that both files hold, worst first; 1 if one got slower than the tolerance allows, else 0.

    Slower means both: the medians' ratio is above the tolerance, and the quartiles do not overlap, so that a noisy row
    raises no alarm. With ``by_clone`` the ratio of what ``x.clone()`` took is divided out.
    """
    before, after = _rows(old), _rows(new)
    shared = [key for key in before if key in after]
    if not shared:
        print("the files share no row: were they measured with the same settings?")
        return 2
    scale = 1.0
    if by_clone:
        clones = [after[k].median / before[k].median for k in shared if k[1] == "x.clone()"]
        if not clones:
            print("the files share no row of x.clone(), which --by-clone needs")
            return 2
        scale = sorted(clones)[len(clones) // 2]
    for name in ("date", "processor", "threads", "torch", "device"):
        was, now = old["machine"].get(name), new["machine"].get(name)
        print(f"{name}: {was}" + ("" if was == now else f" → {now}"))
    slower = 0
    ratios = {key: after[key].median / before[key].median / scale for key in shared}
    for key in sorted(shared, key=lambda key: -ratios[key]):
        worse = ratios[key] > tolerance and after[key].low / scale > before[key].high
        better = ratios[key] < 1 / tolerance and after[key].high / scale < before[key].low
        slower += worse
        verdict = "SLOWER" if worse else "faster" if better else ""
        where = ", ".join(f"{k} {v}" for k, v in before[key].setting.items() if k not in ("device", "threads", "dtype"))
        was, now = before[key].median * 1e3, after[key].median * 1e3
        print(f"{verdict:6} {ratios[key]:6.2f}  {key[0]}: {key[1]} ({where})  {was:.3g} → {now:.3g} ms")
    print(f"{slower} of {len(shared)} rows got slower by more than {tolerance:g} ×")
    return int(slower > 0)


def _rows(content: dict[str, Any]) -> dict[tuple[Any, ...], Row]:
    return {(row := Row(**each)).key: row for each in content["rows"]}
