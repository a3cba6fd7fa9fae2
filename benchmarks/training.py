#!/usr/bin/env python
"""Training against the naive way, and against what the machine can multiply.

Prints segments a second of training with the defaults, of the loader alone and of augmentation alone, what share of a
step these are, and training with two views beside the naive way (an item at a time through h5py, augmentation in numpy,
float32) in the same run; the ratios with their spread; the small encoder against the base one; and the operations of a
step against the rate of a large matrix product on the same machine. A segment is a window of 10 s with all its
channels.

  python benchmarks/training.py
  python benchmarks/training.py --dataset OUT/full_dataset.h5 --sizes small base large --repeats 5
  python benchmarks/training.py --device cuda --compile
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from build import spread
from make_tree import make_tree
from sides import Task as BuildTask
from sides import run_side
from training_report import report
from training_sides import Task, alone, delivered, profiled, whole_steps

from ecgppg.config.presets import ENCODER_SIZES
from ecgppg.training.device import choose_device

BUSY = "by processor time"


def parse() -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="a dataset of this program; left out: simulated and built")
    parser.add_argument("--patients", type=int, default=4, help="simulated")
    parser.add_argument("--hours", type=float, default=3.0, help="of each simulated record")
    parser.add_argument("--sizes", nargs="+", choices=list(ENCODER_SIZES), default=["small", "base"])
    parser.add_argument("--batch-size", type=int, help="default: that of each size")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="put the encoder through torch.compile")
    parser.add_argument("--threads", type=int, help="of torch in training; default: as many as it takes")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side, in turn")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def compare(task: Task, sizes: list[str], repeats: int, compiled: bool = False) -> dict[str, Any]:
    """Measure both sides in turn and gather the figures.

    Parameters
    ----------
    task : Task
    sizes : list of str
        Encoders to train.
    repeats : int
        Runs of each side.
    compiled : bool
        Put ours through torch.compile.
    """
    runs: list[dict[str, Any]] = []
    for _ in range(repeats):
        run: dict[str, Any] = {"alone": alone(task), "delivered": delivered(task)}
        run["sizes"] = {size: whole_steps(task, size, compiled) for size in sizes}
        runs.append(run)
    _, C, T = task.windows.source.shape
    return {
        "windows": len(task.windows), "channels": C, "samples": T, "device": str(choose_device(task.device)),
        "threads": torch.get_num_threads(), "compiled": compiled, "repeats": repeats, "runs": runs,
        "operations": {size: profiled(task, size, compiled) for size in sizes},
        "ratio": {name: spread(values) for name, values in ratios(runs, sizes).items()},
    }  # fmt: skip


def ratios(runs: list[dict[str, Any]], sizes: list[str]) -> dict[str, list[float]]:
    """What is compared, run by run."""
    parts = [run["alone"] for run in runs]
    out = {
        "read, h5py's own chunks": [p["read"] / p["naive_read_plain"] for p in parts],
        "read, the same file": [p["read"] / p["naive_read_same"] for p in parts],
        "augment": [p["augment"] / p["naive_augment"] for p in parts],
    }
    for size in sizes:
        steps = [run["sizes"][size] for run in runs]
        out[f"train {size}, two views"] = [s["train_two"] / s["naive_train"] for s in steps]
        out[f"train {size}, two views, {BUSY}"] = [s["train_two_busy"] / s["naive_train_busy"] for s in steps]
        both = list(zip(steps, parts, strict=True))
        out[f"share of a step: read, {size}"] = [s["train_busy"] / p["read"] for s, p in both]
        one_view = [1 / (1 / p["normalise"] + 1 / p["view"]) for p in parts]
        out[f"share of a step: augment, {size}"] = [s["train_busy"] / v for s, v in zip(steps, one_view, strict=True)]
        out[f"share of roofline: {size}"] = [
            s["flops_per_window"] * s["train_busy"] / s["matmul_flops_per_s"] for s in steps
        ]
    if {"small", "base"} <= set(sizes):
        for name, rate in (("small / base", "train"), (f"small / base, {BUSY}", "train_busy")):
            out[name] = [run["sizes"]["small"][rate] / run["sizes"]["base"][rate] for run in runs]
    return out


def simulated_dataset(work: Path, patients: int, hours: float) -> Path:
    """A dataset that the program builds from a simulated tree."""
    make_tree(work / "waveforms", patients, hours)
    return run_side("ours", BuildTask(work / "waveforms", workers=1), work).path


def main() -> None:
    """Measure and print."""
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory(prefix="benchmark_") as name:
        work = Path(name)
        dataset = args.dataset or simulated_dataset(work, args.patients, args.hours)
        task = Task(dataset, work, args.device, args.seconds, args.batch_size)
        result = compare(task, args.sizes, args.repeats, args.compile)
    print(report(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
