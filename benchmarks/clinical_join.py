#!/usr/bin/env python
"""The clinical join at the size of the whole database: seconds, peak memory, and how far below the limits.

Simulates tables with MIMIC-III's row counts (CHARTEVENTS apart: `--chart-events ROWS` measures its stream), then, in a
process of its own, reads them and the headers of 22,317 records, links these and the segments of the dataset by their
own time, labels everything and makes the feature table.

  python benchmarks/clinical_join.py                      full row counts, a million segments
  python benchmarks/clinical_join.py --scale 0.1          a tenth of every table
  python benchmarks/clinical_join.py --chart-events 5000000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

ROWS = {
    "PATIENTS": 46_520,
    "ADMISSIONS": 58_976,
    "ICUSTAYS": 61_532,
    "DIAGNOSES_ICD": 651_047,
    "PRESCRIPTIONS": 4_156_450,
}
"""Of the full database."""
FULL_CHART_EVENTS = 330_712_483
RECORDS, RECORDED_PATIENTS = 22_317, 10_282
SEGMENTS_PER_RECORD = 60
LIMIT_S, LIMIT_BYTES = 60.0, 2e9
DAY_US = 86_400 * 10**6
FIRST_US = 4_102_444_800 * 10**6  # the year 2100


def simulate(folder: Path, scale: float, n_chart_events: int, seed: int = 1) -> None:
    """Write tables of random contents and real sizes: codes, drugs and stays spread as a database has them."""
    rng = np.random.default_rng(seed)
    n = {name: max(200, round(rows * scale)) for name, rows in ROWS.items()}
    n_patients, n_stays = n["PATIENTS"], n["ADMISSIONS"]
    subject = np.arange(1, n_patients + 1)
    first_us = FIRST_US + rng.integers(0, 80 * 365, n_patients) * DAY_US
    owner = np.concatenate([np.arange(n_patients), rng.integers(0, n_patients, n_stays - n_patients)])
    admit_us = first_us[owner] + rng.integers(0, 2000 * 24 * 60, n_stays) * 60 * 10**6
    left_us = admit_us + rng.integers(12 * 60, 20 * 24 * 60, n_stays) * 60 * 10**6
    hadm, died = np.arange(100_001, 100_001 + n_stays), rng.random(n_stays) < 0.1
    age_days = np.where(rng.random(n_patients) < 0.04, 300 * 365, rng.integers(18 * 365, 89 * 365, n_patients))
    lists = _codes(rng)
    drugs = np.array([f"Drug {i}" for i in range(4000)] + ["Warfarin", "Metoprolol Tartrate", "Aspirin EC"])
    of = rng.integers(0, n_stays, n["DIAGNOSES_ICD"])
    given = rng.integers(0, n_stays, n["PRESCRIPTIONS"])
    unit = rng.integers(0, n_stays, n["ICUSTAYS"])
    into_us = admit_us[unit] + 3600 * 10**6
    tables = {
        "PATIENTS": {
            "SUBJECT_ID": subject,
            "GENDER": rng.choice(["M", "F"], n_patients),
            "DOB": _dates(first_us - age_days * DAY_US),
            "DOD": _dates(first_us + 2500 * DAY_US, rng.random(n_patients) < 0.6),
        },
        "ADMISSIONS": {
            "SUBJECT_ID": subject[owner],
            "HADM_ID": hadm,
            "ADMITTIME": _dates(admit_us),
            "DISCHTIME": _dates(left_us),
            "DEATHTIME": _dates(left_us, ~died),
            "ADMISSION_TYPE": rng.choice(["EMERGENCY", "ELECTIVE", "URGENT"], n_stays),
            "DIAGNOSIS": rng.choice(["SEPSIS", "PNEUMONIA", "CORONARY ARTERY DISEASE"], n_stays),
            "HOSPITAL_EXPIRE_FLAG": died.astype(int),
        },
        "ICUSTAYS": {
            "SUBJECT_ID": subject[owner[unit]],
            "HADM_ID": hadm[unit],
            "ICUSTAY_ID": np.arange(len(unit)) + 200_000,
            "DBSOURCE": rng.choice(["carevue", "metavision"], len(unit)),
            "FIRST_CAREUNIT": rng.choice(["MICU", "CCU", "CSRU", "SICU", "TSICU"], len(unit)),
            "INTIME": _dates(into_us),
            "OUTTIME": _dates(into_us + 2 * DAY_US),
        },
        "DIAGNOSES_ICD": {
            "SUBJECT_ID": subject[owner[of]],
            "HADM_ID": hadm[of],
            "SEQ_NUM": rng.integers(1, 30, len(of)),
            "ICD9_CODE": lists[np.minimum(rng.geometric(0.002, len(of)), len(lists)) - 1],
        },
        "PRESCRIPTIONS": {
            "SUBJECT_ID": subject[owner[given]],
            "HADM_ID": hadm[given],
            "STARTDATE": _dates(admit_us[given] + rng.integers(0, 5, len(given)) * DAY_US),
            "ENDDATE": _dates(admit_us[given] + rng.integers(5, 9, len(given)) * DAY_US),
            "DRUG": drugs[rng.integers(0, len(drugs), len(given))],
        },
    }
    if n_chart_events:
        tables["CHARTEVENTS"] = _chart_events(rng, subject[owner], admit_us, n_chart_events)
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in tables.items():
        pyarrow.csv.write_csv(pa.table(columns), folder / f"{name}.csv")


def recorded(scale: float) -> tuple[int, int]:
    """(records, recorded patients) of a database of this scale."""
    return max(100, round(RECORDS * scale)), max(40, round(RECORDED_PATIENTS * scale))


def write_headers(folder: Path, scale: float) -> None:
    """A master and a layout header for every record; no samples. Records lie in turn with the recorded patients."""
    n_records, n_patients = recorded(scale)
    segments = "".join(f"3000001_{k:04d} 30000\n~ 250\n" for k in range(1, SEGMENTS_PER_RECORD // 2))
    n_lines = SEGMENTS_PER_RECORD // 2 * 2 - 1
    layout = "3000001_layout 2 125 0\n~ 0 1(0)/mV 8 0 -128 0 0 II\n~ 0 1(0)/NU 8 0 -128 0 0 PLETH\n"
    for i in range(n_records):
        where = folder / record_path(i, n_patients)
        if i < n_patients:
            where.parent.mkdir(parents=True)
            (where.parent / "3000001_layout.hea").write_text(layout)
        where.with_suffix(".hea").write_text(
            f"{where.name}/{n_lines} 2 125 10000000 10:00:00 {1 + i % 28:02d}/06/2120\n3000001_layout 0\n{segments}"
        )


def record_path(i: int, n_patients: int) -> str:
    """Path of the i-th record below the waveform folder."""
    subject = 1 + i % n_patients
    return f"p{subject // 10_000:02d}/p{subject:06d}/p{subject:06d}-2120-06-{1 + i % 28:02d}-{i // 1000:02d}-00"


def _codes(rng: np.random.Generator) -> np.ndarray:
    """Some 7,000 ICD-9 codes, those of the definitions among the frequent ones."""
    known = ["42731", "4019", "4280", "41401", "25000", "43491", "431", "430", "43301", "436", "V1254", "4275", "4271"]
    return np.array(known + sorted({f"{rng.integers(1, 1000):03d}{rng.integers(0, 100):02d}" for _ in range(7000)}))


def _chart_events(rng: np.random.Generator, subjects: np.ndarray, admit_us: np.ndarray, n: int) -> dict:
    of = rng.integers(0, len(subjects), n)
    item = rng.choice([212, 220048, 211, 220045, 646, 220277, 618], n, p=[0.01, 0.01, 0.2, 0.2, 0.2, 0.2, 0.18])
    at = _dates(admit_us[of] + rng.integers(0, 72 * 60, n) * 60 * 10**6)
    rhythm = np.where(item == 212, "Normal Sinus", "AF (Atrial Fibrillation)")
    value = np.where(np.isin(item, (212, 220048)), rhythm, "80")
    return {
        "ROW_ID": np.arange(n), "SUBJECT_ID": subjects[of], "HADM_ID": of, "ICUSTAY_ID": of, "ITEMID": item,
        "CHARTTIME": at, "STORETIME": at, "CGID": of % 9999, "VALUE": value, "VALUENUM": item, "VALUEUOM": value,
        "WARNING": item * 0, "ERROR": item * 0, "RESULTSTATUS": value, "STOPPED": value,
    }  # fmt: skip


def _dates(times_us: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    return pa.array(times_us, mask=missing).cast(pa.timestamp("us")).cast(pa.timestamp("s"))


def join(folder: Path, scale: float, n_segments: int) -> dict[str, float]:
    """Read, link, label, make features; seconds of each step and the peak of the process."""
    from ecgppg.clinical.chart_events import read_chart_events
    from ecgppg.clinical.charted_rhythm import RHYTHM_ITEM_IDS, charted_rhythm
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.counts import count_definitions
    from ecgppg.clinical.features import clinical_features
    from ecgppg.clinical.labels import label_rows
    from ecgppg.clinical.linkage import link_records, link_times
    from ecgppg.clinical.mortality import hours_to_death
    from ecgppg.clinical.patient_labels import label_patients
    from ecgppg.clinical.tables import read_tables
    from ecgppg.clinical.times import to_us
    from ecgppg.config.settings import Settings
    from ecgppg.sources.patient import Patient
    from ecgppg.stages.record_flow import record_facts

    seconds: dict[str, float] = {}
    began, cpu_s = time.perf_counter(), time.process_time()

    def lap(name: str) -> None:
        seconds[name] = time.perf_counter() - began - sum(seconds.values())

    definitions = load_definitions()
    tables = read_tables(folder)
    lap("read tables")
    began_simulating = time.perf_counter()
    rng = np.random.default_rng(2)
    n_records, n_patients = recorded(scale)
    stays = tables.admissions[tables.admissions["subject_id"] <= n_patients]
    chosen = stays.iloc[rng.integers(0, len(stays), n_records)]
    start_us = to_us(chosen["admittime"]) + rng.integers(-900, 3000, n_records) * 60 * 10**6
    of = np.sort(rng.integers(0, n_records, n_segments))
    kept = np.array([record_path(i, n_patients) for i in range(n_records)])[of]
    patients_found = [
        Patient(s, f"p{s:06d}", tuple(record_path(i, n_patients) for i in range(s - 1, n_records, n_patients)))
        for s in range(1, n_patients + 1)
    ]
    began += time.perf_counter() - began_simulating
    facts = record_facts(patients_found, Counter(kept.tolist()), Settings(waveforms_dir=str(folder / "waveforms")))
    lap("read headers")
    records = facts.assign(
        subject_id=chosen["subject_id"].to_numpy(),
        start_time_us=start_us,
        end_time_us=start_us + 20 * 3600 * 10**6,
    )
    linkage = link_records(tables, records)
    lap("link records")
    subject, segment_us = records["subject_id"].to_numpy()[of], start_us[of] + rng.integers(0, 7200, n_segments) * 10**7
    hadm = link_times(tables, subject, segment_us, segment_us + 10**7)["hadm_id"].to_numpy()
    lap("link segments")
    label_rows(tables, definitions, subject, hadm, segment_us)
    hours_to_death(tables, hadm, segment_us)
    lap("label segments")
    by_patient = label_patients(tables, definitions, subject, hadm, segment_us)
    count_definitions(tables, definitions, np.unique(subject))
    lap("label patients")
    rows = by_patient.loc[by_patient["hadm_id"] >= 0, ["subject_id", "hadm_id", "index_time_us"]]
    features = clinical_features(tables, definitions, rows.reset_index(drop=True))
    lap("features")
    cpu_s = time.process_time() - cpu_s
    entries = None
    if "CHARTEVENTS" not in tables.missing:
        entries = read_chart_events(folder, RHYTHM_ITEM_IDS, np.unique(subject))
        assert entries is not None
        charted_rhythm(entries, definitions.charted_rhythms, subject, segment_us, segment_us + 10**7)
        lap("charted rhythm")
    assert len(linkage) == n_records
    assert linkage["has_required_channels"].all()
    assert len(features) == len(rows)
    return seconds | {"total": sum(seconds.values()), "cpu": cpu_s, "peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    """Peak resident memory of this program; getrusage would count its parent's too, from before the exec."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


def main() -> None:
    """Simulate, measure in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full row counts")
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--chart-events", type=int, default=0, metavar="ROWS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(join(args.measure, args.scale, args.segments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), args.scale, args.chart_events)
        write_headers(Path(folder) / "waveforms", args.scale)
        command = [sys.executable, __file__, "--measure", folder, "--segments", str(args.segments)]
        command += ["--scale", str(args.scale)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    charted_s = figures.pop("charted rhythm", 0.0)
    figures["total"] -= charted_s
    for name, value in figures.items():
        if name not in ("peak_bytes", "cpu"):
            print(f"{name:<16}{value:8.1f} s")
    print(f"{'of it CPU':<16}{figures['cpu']:8.1f} s (a busy machine takes longer)")
    print(f"{'peak memory':<16}{figures['peak_bytes'] / 1e9:8.2f} GB")
    print(f"ratio to the limits: {LIMIT_S / figures['total']:.1f}x faster than {LIMIT_S:.0f} s, "
          f"{LIMIT_BYTES / figures['peak_bytes']:.1f}x under {LIMIT_BYTES / 1e9:.0f} GB")  # fmt: skip
    if charted_s:
        rate = args.chart_events / charted_s
        print(f"CHARTEVENTS     {charted_s:8.1f} s, {rate:,.0f} rows/s: "
              f"{FULL_CHART_EVENTS / rate / 60:.1f} min for its {FULL_CHART_EVENTS:,} rows")  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(figures | {"charted_rhythm_s": charted_s}, indent=2) + "\n")


if __name__ == "__main__":
    main()
