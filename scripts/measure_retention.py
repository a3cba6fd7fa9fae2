#!/usr/bin/env python
"""What the quality checks keep of labelled recordings, as tables: by label, before alarms, with planted noise."""

import argparse
from pathlib import Path

from ecgppg.config.settings import Settings
from ecgppg.sources.patient import Patient

SNRS_DB = (24.0, 12.0, 6.0, 0.0, -6.0)


def main() -> int:
    """Print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n"
        "  measure_retention.py --waveforms training2017 --records-csv REFERENCE.csv --by reference --figure kept.png\n"
        "  measure_retention.py --waveforms training2017 --records-csv REFERENCE.csv --by reference --plant A N\n"
        "  measure_retention.py --waveforms challenge2015/training --by alarm true --event-s 300\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--waveforms", type=Path, required=True, metavar="DIR", help="folder of WFDB records")
    parser.add_argument("--records-csv", metavar="FILE", help="their labels, where they do not lie beside the records")
    parser.add_argument("--by", nargs="+", default=[], metavar="LABEL", help="a line for each combination of these")
    parser.add_argument(
        "--channels", nargs="+", default=["ECG"], choices=("ECG", "PPG"), help="judged, and all needed (%(default)s)"
    )
    parser.add_argument(
        "--event-s",
        type=float,
        metavar="S",
        help="the 20 s before this second of every recording: a table of their own",
    )
    parser.add_argument(
        "--plant", nargs=2, metavar="VALUE", help="plant noise in clean recordings of two values of --by"
    )
    parser.add_argument(
        "--snr-db", nargs="+", type=float, default=SNRS_DB, metavar="DB", help="how strong (24 12 6 0 -6 dB)"
    )
    parser.add_argument("--against", choices=("power", "height"), default="power", help="of the ECG (%(default)s)")
    parser.add_argument(
        "--height-mv", type=float, metavar="MV", help="bring every recording to this height first (default: as taped)"
    )
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="times each noise is drawn (%(default)s)")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="PNG: windows kept and dropped, by reason")
    args = parser.parse_args()
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: measure(args))


def measure(args: argparse.Namespace) -> int:
    """Judge and print."""
    from ecgppg.config.errors import ConfigError
    from ecgppg.evaluation import retention
    from ecgppg.sources.find import find_patients

    if args.height_mv is not None and not args.height_mv > 0:
        raise ConfigError(f"--height-mv: {args.height_mv:g} is not above 0")
    if args.plant and (len(args.by) != 1 or args.channels != ["ECG"]):
        raise ConfigError("--plant: needs one label after --by, and --channels ECG")
    settings = Settings(
        source="wfdb",
        waveforms_dir=str(args.waveforms),
        records_csv=args.records_csv,
        channels=args.channels,
        required_channels=args.channels,
    )
    patients = find_patients(settings)
    by = [name if name.startswith("label_") else f"label_{name}" for name in args.by]
    if args.plant:
        return plant(args, patients, by[0], settings)
    owners = [(patient.subject_id, record) for patient in patients for record in patient.records]
    windows = retention.with_labels(retention.judge_records(args.waveforms, owners, settings), patients, by)
    print(f"All windows ({', '.join(args.channels)})\n")
    print(retention.markdown(retention.retention_by(windows, by), by))
    if args.event_s is not None:
        before = windows[retention.shortly_before(windows, args.event_s, settings.segment_seconds)]
        print(f"\nThe {retention.BEFORE_EVENT_S:g} s before second {args.event_s:g}\n")
        print(retention.markdown(retention.retention_by(before, by), by))
    if args.figure:
        from ecgppg.evaluation.retention_figure import draw_reasons

        draw_reasons(args.figure, args.waveforms, windows, by, settings)
    return 0


def plant(args: argparse.Namespace, patients: list[Patient], by: str, settings: Settings) -> int:
    """Plant noise, judge and print."""
    from ecgppg.evaluation.retention_planted import at_height, compare, find_clean, markdown, plant_and_judge

    groups = (args.plant[0], args.plant[1])
    recordings = find_clean(args.waveforms, patients, by, groups, settings)
    for group in groups:
        of_group = [recording for recording in recordings if recording.group == group]
        n = sum(int(recording.clean.clean_N.sum()) for recording in of_group)
        print(f"{group}: {n} clean windows of {len(of_group)} recordings")
    if args.height_mv:
        recordings = [at_height(recording, args.height_mv) for recording in recordings]
    planted = plant_and_judge(recordings, settings, args.snr_db, args.against, draws=args.draws)
    print(f"\nNoise against the {args.against} of the ECG\n")
    print(markdown(compare(planted, groups), groups))
    if args.figure:
        from ecgppg.evaluation.retention_figure import draw_planted

        draw_planted(args.figure, recordings, planted, "muscle", args.against, settings.segment_seconds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
