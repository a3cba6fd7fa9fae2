"""The figures of training as text."""

from statistics import median
from typing import Any

ALONE = {
    "read": "loader: read, inflated, scaled",
    "naive_read_plain": "naive: h5py an item, float32 gzip in h5py's own chunks",
    "naive_read_same": "naive: h5py an item, our file",
    "view": "augmentation: one view of 8 s",
    "normalise": "normalising",
    "augment": "normalised once, two views",
    "naive_augment": "naive: the same in numpy, a window at a time",
}


def report(result: dict[str, Any]) -> str:
    """What `training.compare` gathered, for people."""
    runs, C = result["runs"], result["channels"]
    parts = {name: median(run["alone"][name] for run in runs) for name in runs[0]["alone"]}
    lines = [
        f"{result['windows']:,} segments of {C} x {result['samples']} samples; {result['device']}, "
        f"{result['threads']} threads{', compiled' if result['compiled'] else ''}; medians of {result['repeats']} runs",
        "one thread, segments a second of its processor time:",
        *(f"  {parts[name]:9,.0f}  {text}" for name, text in ALONE.items()),
        f"loader as it delivers, reading ahead: {median(run['delivered'] for run in runs):,.0f} segments/s",
    ]
    for size in runs[0]["sizes"]:
        step = {name: median(run["sizes"][size][name] for run in runs) for name in runs[0]["sizes"][size]}
        flops = step["flops_per_window"]
        lines += [
            f"{size}: training {step['train']:,.1f} segments/s; with two views {step['train_two']:,.1f}, "
            f"naive {step['naive_train']:,.1f}; "
            f"{flops / 1e9:.2f} GFLOP a segment, {flops * step['train_busy'] / 1e9:,.1f} GFLOP a busy "
            f"second of the {step['matmul_flops_per_s'] / 1e9:,.1f} of a large matrix product",
            "  time of a step by operation: "
            + ", ".join(f"{name.removeprefix('aten::')} {share:.0%}" for name, share in result["operations"][size]),
        ]
    for name, r in result["ratio"].items():
        of = "" if name.startswith("share") or "/" in name else "ratio ours / naive, "
        lines.append(
            f"{of}{name}: {_number(name, r['median'])} ({_number(name, r['min'])} to {_number(name, r['max'])})"
        )
    return "\n".join(lines)


def _number(name: str, value: float) -> str:
    return f"{value:.2%}" if name.startswith("share") else f"{value:.2f}"
