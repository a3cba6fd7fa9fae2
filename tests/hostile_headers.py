"""Headers mutated field by field, each read as a build reads it: `python -m tests.hostile_headers --n 3000`.

Prints, for each kind of header and each field, what became of the record. Run as a program it forbids itself any file
outside the record's folder and more than a little memory: a header that gets either ends it.
"""

import argparse
import os
import resource
import sys
import sysconfig
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.schema import READ_REASONS, WINDOW_REASONS
from ecgppg.config.settings import Settings
from ecgppg.waveform.patient import read_patient
from tests.wfdb_records import beats

SECONDS, SEGMENTS = 70, 2
MEMORY_BYTES = 400 * 2**20
"""Beyond what the process holds after it has read one good record."""

RECORD_FIELDS = ("name", "signals", "rate", "samples", "time", "date")
SIGNAL_FIELDS = ("file", "format", "gain", "resolution", "zero", "initial", "checksum", "block", "signal name")
SEGMENT_FIELDS = ("segment", "segment samples")
WORDS = (
    "", "-1", "0", "1", "2", "3", "7", "999", "-125", "1e12", "125.000001", "250", "nan", "inf", "-inf", "1e-320",
    "9000000000", "9e9", "99999999999999999999999", "-9000000000", "0x10", "1_0", "+1", "\u0663", "\u00e9", "\0", "~",
    "#", "x" * 5000, "\x1b[31mx", "r", "a0", "a1", "r_layout", "none", "../../secret", "../../secret.dat",
    "{secret}", "/etc/passwd",
    "link.dat", "a0.dat", "b.dat", "..", ".", "sub/../../../secret.dat", "s3://bucket/x.dat", "C:\\x", "16x0",
    "16x1000",
    "16x1001", "16:999999", "16:1000001", "16+4", "16+999999999999999", "80", "212", "61", "160", "24", "32", "8",
    "310", "311", "508", "516", "524", "99", "16x2", "0/mV", "1/mV", "-100/mV", "1e300/mV", "1e-300/mV",
    "100(99999999999)/mV", "100(0)/", "100/uV", "100()/mV", "1/2 3", "a b", "00:00:00", "25:99:99", "31:25.894",
    "30/02/2100", "01/01/9999", "29/02/0000",
)  # fmt: skip
STRIDE = 37
"""Apart from the number of words, so that few mutations try words of every kind."""
CHANGES = ("drop line", "double line", "cut short", "flip byte")


@dataclass(frozen=True)
class Mutation:
    """One change of one header: which, where, and the text that comes of it."""

    kind: str
    field: str
    text: bytes


def write_tree(folder: Path) -> dict[str, Path]:
    """A master over a layout and two segments, and files to lead astray; returns the headers by kind."""
    folder.mkdir(parents=True)
    n = SECONDS * 125
    lines = ["a.dat 16 100(0)/mV 16 0 {} {} 0 II", "a.dat 16 100(0)/NU 16 0 {} {} 0 PLETH"]
    for k in range(SEGMENTS):
        codes = beats(n, seed=k)
        np.stack(list(codes.values()), axis=1).astype("<i2").tofile(folder / f"a{k}.dat")
        described = [
            line.format(int(x[0]), int(x.sum()) % 65536).replace("a.dat", f"a{k}.dat")
            for line, x in zip(lines, codes.values(), strict=True)
        ]
        (folder / f"a{k}.hea").write_text("\n".join([f"a{k} 2 125 {n} 00:00:00 01/01/2100", *described]) + "\n")
    layout = [line.format(0, 0).replace("a.dat", "~").replace(" 16 ", " 0 ", 1) for line in lines]
    (folder / "r_layout.hea").write_text("\n".join(["r_layout 2 125 0 00:00:00 01/01/2100", *layout]) + "\n")
    segments = ["r_layout 0", *(f"a{k} {n}" for k in range(SEGMENTS))]
    first = f"r/{len(segments)} 2 125 {n * SEGMENTS} 00:00:00 01/01/2100"
    (folder / "r.hea").write_text("\n".join([first, *segments]) + "\n")
    secret = folder.parent.parent / "secret.dat"
    secret.write_bytes((folder / "a0.dat").read_bytes())
    (folder.parent.parent / "secret.hea").write_text((folder / "a0.hea").read_text().replace("a0", "secret"))
    (folder / "link.dat").symlink_to(secret)
    return {"master": folder / "r.hea", "layout": folder / "r_layout.hea", "segment": folder / "a0.hea"}


def mutations(headers: dict[str, Path], n: int, seed: int) -> list[Mutation]:
    """`n` mutations, taking kinds and fields in turn; every word of `WORDS` is tried in every field if n allows."""
    rng = np.random.default_rng(seed)
    makers: list[Callable[[int], Mutation]] = []
    for kind, path in headers.items():
        lines = path.read_text().splitlines()
        secret = str(path.parents[2] / "secret.dat")
        for at, fields in _places(kind):
            for place, field in enumerate(fields):
                makers.append(lambda k, a=(kind, lines, at, place, field, secret): _set_field(k, *a))
        for change in CHANGES:
            makers.append(lambda k, a=(kind, lines, change): _change(rng, *a))
    return [makers[i % len(makers)](i // len(makers)) for i in range(n)]


def _places(kind: str) -> list[tuple[int, tuple[str, ...]]]:
    """Lines of a header and the fields of each."""
    return [(0, RECORD_FIELDS), (2, SEGMENT_FIELDS)] if kind == "master" else [(0, RECORD_FIELDS), (1, SIGNAL_FIELDS)]


def _set_field(k: int, kind: str, lines: list[str], at: int, place: int, field: str, secret: str) -> Mutation:
    changed = list(lines)
    # Two formats for one file are refused before either is looked at: every line gets the same.
    for line in range(at, len(lines)) if field == "format" else (at,):
        words = lines[line].split(" ")
        words[place] = WORDS[(k * STRIDE + place) % len(WORDS)].replace("{secret}", secret)
        changed[line] = " ".join(words)
    return Mutation(kind, field, ("\n".join(changed) + "\n").encode())


def _change(rng: np.random.Generator, kind: str, lines: list[str], change: str) -> Mutation:
    at = int(rng.integers(len(lines)))
    whole = bytearray(("\n".join(lines) + "\n").encode())
    if change == "drop line":
        return Mutation(kind, change, ("\n".join(lines[:at] + lines[at + 1 :]) + "\n").encode())
    if change == "double line":
        return Mutation(kind, change, ("\n".join(lines[: at + 1] + lines[at:]) + "\n").encode())
    if change == "cut short":
        return Mutation(kind, change, bytes(whole[: int(rng.integers(len(whole)))]))
    whole[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
    return Mutation(kind, change, bytes(whole))


def outcome(root: Path, settings: Settings, good: np.ndarray) -> str:
    """What a build makes of the record: the reasons counted, or that it read the same windows or others."""
    windows = read_patient(root, "p1", 1, ["records/r"], settings)
    reasons = sorted(key for key in windows.counts if key.startswith(("record:", "window:")))
    for key in reasons:
        family, _, reason = key.partition(":")
        assert reason in (READ_REASONS if family == "record" else WINDOW_REASONS), key
    judged = windows.counts["windows_kept"] + sum(n for k, n in windows.counts.items() if k.startswith("window:"))
    assert windows.counts["windows_judged"] == judged
    if any(key.startswith("record:") for key in reasons):
        assert all(line.isprintable() for line in windows.damages), windows.damages
        return next(key.partition(":")[2] for key in reasons if key.startswith("record:"))
    if reasons:
        return "windows dropped"
    return "as before" if np.array_equal(windows.filtered_NCT, good) else "read otherwise"


def table_of(counts: dict[tuple[str, str], Counter[str]]) -> str:
    """A Markdown table: one row a field, one column an outcome."""
    columns = sorted({name for row in counts.values() for name in row})
    lines = [f"| header | field | n | {' | '.join(columns)} |", "|---|---|---:" + "|---:" * len(columns) + "|"]
    for (kind, field), row in counts.items():
        lines.append(
            f"| {kind} | {field} | {sum(row.values())} | {' | '.join(str(row[c] or '') for c in columns)} |"
        )  # fmt: skip
    total = sum(counts.values(), Counter())
    lines.append(f"| all | | {sum(total.values())} | {' | '.join(str(total[c]) for c in columns)} |")
    return "\n".join(lines)


@contextmanager
def confined(root: Path) -> Iterator[None]:
    """In the block: no file outside `root` but Python's own, and little more memory than now."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    allowed = tuple(
        os.path.realpath(p) + os.sep
        for p in (root, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *filter(os.path.isabs, sys.path))
    )
    allowed = tuple(a for a in allowed if not os.path.realpath(root.parent).startswith(a.rstrip(os.sep)))

    def watch(event: str, arguments: tuple) -> None:
        if watching and event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith(allowed):
                print(f"OPENED OUTSIDE: {path}", flush=True)
                os._exit(3)

    watching = True
    sys.addaudithook(watch)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        watching = False


def run(n: int, seed: int, folder: Path) -> dict[tuple[str, str], Counter[str]]:
    """Mutate, read, count."""
    headers = write_tree(folder / "root" / "records")
    root = folder / "root"
    settings = Settings(channels=["ECG", "PPG"], required_channels=["ECG"], min_segments_per_patient=1)
    good = read_patient(root, "p1", 1, ["records/r"], settings).filtered_NCT
    assert len(good) == SECONDS * SEGMENTS // 10
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    todo = mutations(headers, n, seed)
    originals = {kind: path.read_bytes() for kind, path in headers.items()}
    import wfdb  # formats that are read through it must not import it under the limit

    assert wfdb.__version__
    with confined(root):
        for mutation in todo:
            headers[mutation.kind].write_bytes(mutation.text)
            counts[mutation.kind, mutation.field][outcome(root, settings, good)] += 1
            headers[mutation.kind].write_bytes(originals[mutation.kind])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table_of(run(args.n, args.seed, Path(folder))))


if __name__ == "__main__":
    main()
