#!/usr/bin/env python
"""Our build against the naive one, in turn on the same tree with the same limits and the same number of workers.

Prints windows judged and segments kept a second, what both keep, bytes, peak memory, and the ratio of the two with
its spread; `--floor` adds what decoding and deflating alone would take. Times run from the start of the command to
its end, imports included, so the tree must be large enough that they do not count: some minutes for the naive build.

  python benchmarks/build.py --waveforms TREE --workers 2 --repeats 3 --floor
  python benchmarks/build.py --max-segments-per-patient 1000        (without --waveforms: on a simulated tree)
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from floor import measure_floor
from make_tree import make_tree
from report import RATES, report
from sides import SIDES, Build, Task, run_side, stage_times

SIMULATED_PATIENTS, SIMULATED_HOURS = 16, 12.0


def parse() -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waveforms", type=Path, help="tree in the MIMIC-III matched layout; left out: simulated")
    parser.add_argument("--hours", type=float, default=SIMULATED_HOURS, help="of each simulated record")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-segments-per-patient", type=_limit, default=None, metavar="N|off", help="default: off")
    parser.add_argument("--max-patients", type=int, metavar="N", help="the first N by name")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side, in turn")
    parser.add_argument(
        "--no-warm-up", action="store_true", help="no untimed build of one patient before the first pair"
    )
    parser.add_argument("--floor", action="store_true", help="measure the decode + deflate floor too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def compare(task: Task, repeats: int, work: Path, with_floor: bool = False, warm_up: bool = True) -> dict[str, Any]:
    """Run both sides in turn and gather the figures.

    Parameters
    ----------
    task : Task
        What to build.
    repeats : int
        Runs of each side.
    work : Path
        Folder for their files; holds one output of each side at a time.
    with_floor : bool
        Measure the floor as often.
    warm_up : bool
        Build one patient first, untimed: compiled kernels and modules are then where the timed runs find them.
    """
    read_through(task)
    if warm_up:
        for side in SIDES:
            run_side(side, replace(task, max_patients=1), work / "warm")
    pairs: list[dict[str, Build]] = []
    for _ in range(repeats):
        pairs.append({side: run_side(side, task, work) for side in SIDES})
    kept = {side: pairs[-1][side].windows() for side in SIDES}
    ratios = {rate: [getattr(p["ours"], rate) / getattr(p["naive"], rate) for p in pairs if getattr(p["naive"], rate)]
              for rate in RATES}  # fmt: skip
    out: dict[str, Any] = {
        "waveforms": str(task.waveforms), "patients": len(task.patients), "signal_bytes": task.signal_bytes(),
        "workers": task.workers, "max_segments_per_patient": task.limit, "repeats": repeats,
        **{side: [figures(pair[side]) for pair in pairs] for side in SIDES},
        "kept_by_both": len(kept["naive"] & kept["ours"]),
        "ratio": {rate: spread(values) for rate, values in ratios.items() if values},
        "stage_times": stage_times(pairs[-1]["ours"]),
    }  # fmt: skip
    if with_floor:
        ours = [pair["ours"].usage.wall_s for pair in pairs]
        out["floor"] = floor_figures(pairs[-1]["ours"], task, repeats, median(ours))
    return out


def read_through(task: Task) -> None:
    """Read every file once, so that neither side pays for the disk; a tree larger than memory stays on it for both."""
    for path in task.files():
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass


def figures(build: Build) -> dict[str, Any]:
    """One build as plain numbers."""
    usage = build.usage
    return {
        "wall_s": usage.wall_s, "cpu_s": usage.cpu_s, "others_share": usage.others_share,
        "judged": build.n_judged, "kept": build.n_kept,
        **{rate: getattr(build, rate) for rate in RATES},
        "read_bytes": usage.read_bytes, "written_bytes": usage.written_bytes, "file_bytes": build.path.stat().st_size,
        "parent_peak_bytes": usage.parent_peak_bytes, "worker_peak_bytes": list(usage.worker_peak_bytes),
    }  # fmt: skip


def floor_figures(build: Build, task: Task, repeats: int, ours_s: float) -> dict[str, Any]:
    """The least of several floors, since nothing goes under a floor, and how many times longer our build takes."""
    floors = [measure_floor(build.path, task.waveforms, task.workers) for _ in range(repeats)]
    out: dict[str, Any] = {"windows": floors[0].n_windows}
    for kind in ("source", "stored"):
        wall_s = min(getattr(floor, f"{kind}_s") for floor in floors)
        out[kind] = {"wall_s": wall_s, "windows_per_s": floors[0].n_windows / wall_s, "distance": ours_s / wall_s}
    out["worker_seconds"] = vars(min(floors, key=lambda floor: floor.stored_s).seconds)
    return out


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def _limit(text: str) -> int | None:
    if text == "off":
        return None
    if not text.isdigit() or text == "0":
        raise argparse.ArgumentTypeError(f"{text}: a number of segments, or off")
    return int(text)


def main() -> None:
    """Measure and print."""
    args = parse()
    with tempfile.TemporaryDirectory(prefix="benchmark_") as name:
        work = Path(name)
        waveforms = args.waveforms
        if waveforms is None:
            waveforms = work / "waveforms"
            make_tree(waveforms, args.max_patients or SIMULATED_PATIENTS, args.hours)
        task = Task(waveforms, args.workers, args.max_segments_per_patient, args.max_patients)
        result = compare(task, args.repeats, work, args.floor, not args.no_warm_up)
    print(report(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
