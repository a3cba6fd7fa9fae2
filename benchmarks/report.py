"""The figures of the two builds as text."""

from typing import Any

from sides import SIDES

RATES = {
    "judged_per_s": "judged windows/s",
    "kept_per_s": "kept segments/s",
    "kept_per_cpu_s": "kept segments a second of processor time",
}
FLOORS = {"source": "the recorded codes", "stored": "the codes that are stored"}


def report(result: dict[str, Any]) -> str:
    """What `build.compare` gathered, for people."""
    limit = result["max_segments_per_patient"]
    lines = [
        f"{result['patients']} patients, {_mb(result['signal_bytes'])} of signals, {result['workers']} workers, "
        + (f"at most {limit} segments a patient" if limit else "every window"),
        "          wall s   cpu s  others  judged/s    kept/s  parent MB  worker MB",
    ]
    for repeat in range(result["repeats"]):
        lines += [_row(side, result[side][repeat]) for side in SIDES]
    lines.append("others: processor time taken by other programs, or by other guests of the host; it spoils a ratio")
    lines += [_side(side, result) for side in SIDES]
    for rate, name in RATES.items():
        if rate in result["ratio"]:
            r = result["ratio"][rate]
            spread = f"{r['min']:.2f} to {r['max']:.2f} in {result['repeats']} pairs"
            lines.append(f"ratio ours / naive, {name}: {r['median']:.2f} ({spread})")
    lines += _floor(result["floor"]) if "floor" in result else []
    return "\n".join(lines + (result["stage_times"] or ["the log of the build says nothing of where its time went"]))


def _row(side: str, one: dict[str, Any]) -> str:
    times = f"{side:6} {one['wall_s']:9.1f} {one['cpu_s']:7.1f} {one['others_share']:7.1%}"
    times += f" {one['judged_per_s']:9,.0f} {one['kept_per_s']:9,.0f}"
    peaks = one["parent_peak_bytes"], max(one["worker_peak_bytes"], default=0)
    return times + "".join(f" {peak / 1e6:10,.0f}" for peak in peaks)


def _side(side: str, result: dict[str, Any]) -> str:
    one = result[side][-1]
    shared = ""
    if result["max_segments_per_patient"] is None:
        # Under a limit the sides choose different windows on purpose: the first ones, or some of the whole stay.
        shared = f", of these {_share(result['kept_by_both'], one['kept'])} by the other too"
    return (
        f"{side}: {one['judged']:,} windows judged, {one['kept']:,} kept ({_share(one['kept'], one['judged'])})"
        f"{shared}; file {_mb(one['file_bytes'])}; all its system calls read {_mb(one['read_bytes'])} and wrote "
        f"{_mb(one['written_bytes'])} (modules, pipes and files of its own included)"
    )


def _floor(floor: dict[str, Any]) -> list[str]:
    lines = [
        f"floor, read + decode + deflate of {name}: {floor[kind]['windows_per_s']:,.0f} windows/s; "
        f"ours takes {floor[kind]['distance']:.2f} times as long"
        for kind, name in FLOORS.items()
    ]
    steps = ", ".join(f"{step.removesuffix('_s')} {1e6 * s / floor['windows']:.0f}"
                      for step, s in floor["worker_seconds"].items())  # fmt: skip
    return [*lines, f"microseconds a window of one worker: {steps}"]


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.1%}"


def _mb(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
