#!/usr/bin/env python
"""Make a waveform tree of long stays: simulated recordings, repeated for hours, in the MIMIC-III matched layout.

Each patient is one record of a few long segments in format 80 or 16, with gaps, changing channels and changing gain.
Every segment starts elsewhere in the same half hour of one simulated heart: load for a benchmark, not data for a
study. A 100-hour record takes seconds; the same options give the same bytes.

  python benchmarks/make_tree.py --output TREE --patients 6 --hours 36
"""

import argparse
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from ecgppg.synthetic.montage import plan_pieces
from ecgppg.synthetic.people import simulate_people
from ecgppg.synthetic.recording import FS_HZ, draw_body, simulate_recording
from ecgppg.synthetic.wfdb_files import RecordName, write_record

BASE_MINUTES = 30.0


class Repeated:
    """A signal that repeats for ever, each slice of it beginning at a place of its own.

    Parameters
    ----------
    x_T : array (T,)
        What repeats.
    seed : int
        With a slice's first sample it decides where in `x_T` the slice begins, so that all channels begin at the same.
    """

    def __init__(self, x_T: np.ndarray, seed: int) -> None:
        self.x_T, self.seed = x_T, seed

    def __getitem__(self, span: slice) -> np.ndarray:
        phase = int(np.random.default_rng([self.seed, span.start]).integers(len(self.x_T)))
        return np.resize(np.roll(self.x_T, -phase), span.stop - span.start)


def make_tree(waveforms: Path, patients: int, hours: float, seed: int = 7) -> int:
    """Write the tree.

    Parameters
    ----------
    waveforms : Path
        Where p00 ... p09 will lie.
    patients : int
        One record each.
    hours : float
        Length of each record.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    int
        Bytes of signals.
    """
    records = []
    n, n_base = round(hours * 3600 * FS_HZ), round(min(hours * 60, BASE_MINUTES) * 60 * FS_HZ)
    for number, person in enumerate(simulate_people(patients, seed).to_dict("records")):
        rng = np.random.default_rng([seed, number])
        base = simulate_recording(person, draw_body(rng), n_base, rng)
        signals = {channel: Repeated(x_T, seed + number) for channel, x_T in base.signals.items()}
        pieces = plan_pieces(n, FS_HZ, tuple(signals), base.fmt, rng)
        start = datetime(2130, 1, 1) + timedelta(days=37 * number, minutes=11 * number)
        name = RecordName(f"p{person['subject_id']:06d}", str(3_000_000 + number), start)
        write_record(waveforms, name, signals, pieces, base.fmt, FS_HZ, odd_clocks=False)
        records.append(name.path)
    (waveforms / "RECORDS-waveforms").write_text("".join(f"{record}\n" for record in sorted(records)))
    return tree_bytes(waveforms)


def tree_bytes(waveforms: Path) -> int:
    """Bytes of all signal files of a tree."""
    return sum(path.stat().st_size for path in waveforms.rglob("*.dat"))


def main() -> None:
    """Make a tree as the options say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the waveform folder; it must not exist")
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--hours", type=float, default=36.0, help="length of each patient's record")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.output.exists():
        parser.error(f"{args.output} exists")
    n_bytes = make_tree(args.output, args.patients, args.hours, args.seed)
    print(
        f"{args.patients} patients, {args.patients * args.hours:g} h, {n_bytes / 1e6:.0f} MB of signals: {args.output}"
    )


if __name__ == "__main__":
    main()
