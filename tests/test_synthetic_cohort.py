"""A small cohort on disk: readable by wfdb, the same for the same seed, damaged where it says so."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.schema import LINK_GRADES, READ_REASONS
from ecgppg.synthetic.cohort import make_cohort
from ecgppg.synthetic.damage import EXPECTED_REASONS
from ecgppg.synthetic.montage import UNITS, plan_pieces
from ecgppg.synthetic.truth import CohortTruth, read_truth
from ecgppg.synthetic.wfdb_files import MISSING_CODE, digitize, encode

N, MINUTES = 5, 2.0


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> CohortTruth:
    return make_cohort(tmp_path_factory.mktemp("cohort") / "small one", N, MINUTES, seed=11, num_workers=0)


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def test_same_seed_gives_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    alone = make_cohort(tmp_path / "a", 3, 1.0, seed=5, num_workers=0)
    shared = make_cohort(tmp_path / "b", 3, 1.0, seed=5, num_workers=2)
    other = make_cohort(tmp_path / "c", 3, 1.0, seed=6, num_workers=0)
    assert tree_hash(alone.folder) == tree_hash(shared.folder)
    assert tree_hash(alone.folder / "waveforms") != tree_hash(other.folder / "waveforms")


def test_every_sound_record_is_read_by_wfdb_and_adds_up(cohort: CohortTruth) -> None:
    for row in cohort.records.itertuples():
        path = str(cohort.waveforms / row.record)
        header = wfdb.rdheader(path, rd_segments=True)
        assert header.seg_name[0].endswith("_layout")
        assert header.seg_len[0] == 0
        assert sum(header.seg_len) == header.sig_len == row.n_samples == MINUTES * 60 * 125
        assert str(header.base_date) == row.start_time[:10]
        lengths = cohort.segments[cohort.segments.record == row.record]
        assert list(lengths.n_samples) == [
            n for name, n in zip(header.seg_name[1:], header.seg_len[1:], strict=True) if name != "~"
        ]


def test_samples_are_finite_except_planted_gaps_and_missing(cohort: CohortTruth) -> None:
    for row in cohort.records.itertuples():
        missing = cohort.artefacts[(cohort.artefacts.record == row.record) & (cohort.artefacts.kind == "missing")]
        for segment in cohort.segments[cohort.segments.record == row.record].itertuples():
            read = wfdb.rdrecord(str((cohort.waveforms / row.record).parent / segment.segment))
            assert read.sig_name == segment.channels.split()
            assert read.sig_len == segment.n_samples
            assert read.fmt[0] == str(row.fmt)
            # wfdb recomputes the 16-bit sums from the samples it decoded.
            digital = wfdb.rdrecord(str((cohort.waveforms / row.record).parent / segment.segment), physical=False)
            assert digital.calc_checksum() == [c % 65536 for c in digital.checksum]
            for k, name in enumerate(read.sig_name):
                planted = np.zeros(segment.n_samples, bool)
                for gap in missing.itertuples():
                    if name in gap.channels.split():
                        low = max(0, gap.start_sample - segment.start_sample)
                        planted[low : max(low, gap.end_sample - segment.start_sample)] = True
                np.testing.assert_array_equal(np.isnan(read.p_signal[:, k]), planted)


def test_beats_of_truth_coincide_with_the_ecg(cohort: CohortTruth) -> None:
    near, far = 0, 0
    for row in cohort.records.itertuples():
        beats = cohort.beats(row.record)
        calibrated = cohort.segments[(cohort.segments.record == row.record) & ~cohort.segments.uncalibrated_ecg]
        for segment in calibrated[calibrated.n_samples > 1000].itertuples():
            read = wfdb.rdrecord(str((cohort.waveforms / row.record).parent / segment.segment))
            names = segment.channels.split()
            ecg_T = read.p_signal[:, names.index("II" if "II" in names else "V")]
            beat = beats["beat_samples"][beats["ecg_clean"]] - segment.start_sample
            for b in beat[(beat > 40) & (beat < segment.n_samples - 40)]:
                window = np.abs(ecg_T[b - 20 : b + 21] - np.median(ecg_T[b - 40 : b + 40]))
                # A deep S may be taller than the R; both lie within 60 ms, and so does the middle of a clipped ectopic.
                tallest = np.flatnonzero(window >= 0.98 * window.max())
                near, far = (near + 1, far) if abs(tallest.mean() - 20) <= 8 else (near, far + 1)
    assert near > 300
    assert far / (near + far) < 0.01


def test_ppg_peaks_of_truth_coincide_with_the_ppg(cohort: CohortTruth) -> None:
    offsets = []
    for row in cohort.records.itertuples():
        beats = cohort.beats(row.record)
        for segment in cohort.segments[cohort.segments.record == row.record].itertuples():
            names = segment.channels.split()
            if "PLETH" not in names or segment.n_samples < 1000:
                continue
            read = wfdb.rdrecord(str((cohort.waveforms / row.record).parent / segment.segment))
            ppg_T = read.p_signal[:, names.index("PLETH")]
            usual = beats["ppg_clean"] & (beats["ppg_heights"] > 0.7)
            peak = beats["ppg_peaks"][usual] - segment.start_sample
            for p in peak[(peak > 20) & (peak < segment.n_samples - 20)]:
                offsets.append(abs(int(np.argmax(ppg_T[p - 12 : p + 13])) - 12))
    assert len(offsets) > 300
    assert np.mean(np.array(offsets) <= 4) > 0.97
    late_s = [
        (b["ppg_peaks"] - b["beat_samples"]) / 125 - 0.5 * (r.shift_start_s + r.shift_end_s)
        for r in cohort.records.itertuples()
        for b in [cohort.beats(r.record)]
    ]
    assert ((np.concatenate(late_s) > 0.1) & (np.concatenate(late_s) < 0.7)).all()


def test_truth_lists_what_lies_on_disk(cohort: CohortTruth) -> None:
    listed = (cohort.waveforms / "RECORDS-waveforms").read_text().split()
    assert sorted([*cohort.records.record, *cohort.damaged.record]) == listed
    folders = {f"{record.rsplit('/', 1)[0]}/" for record in listed}
    assert set((cohort.waveforms / "RECORDS").read_text().split()) == folders
    assert set(cohort.records.expected_grade) <= set(LINK_GRADES)
    assert cohort.patients.af.sum() == 1
    assert set(cohort.records.subject_id) == set(cohort.patients.subject_id)
    for numerics in (cohort.waveforms / "RECORDS-numerics").read_text().split():
        assert wfdb.rdrecord(str(cohort.waveforms / numerics)).sig_len == MINUTES


def test_damaged_records_are_damaged_and_extra(cohort: CohortTruth) -> None:
    assert set(cohort.damaged.damage) == set(EXPECTED_REASONS)
    assert set(EXPECTED_REASONS.values()) <= set(READ_REASONS)
    assert not set(cohort.damaged.record) & set(cohort.records.record)
    for row in cohort.damaged.itertuples():
        path, file = cohort.waveforms / row.record, cohort.waveforms / row.file
        match row.damage:
            case "missing_dat" | "missing_segment_header" | "absent_record":
                assert not file.exists()
            case "truncated_dat":
                header = wfdb.rdheader(str(file.with_suffix("")))
                width = 1 if header.fmt[0] == "80" else 2
                assert file.stat().st_size < header.sig_len * header.n_sig * width
            case "wrong_checksum":
                digital = wfdb.rdrecord(str(file.with_suffix("")), physical=False)
                assert digital.calc_checksum() != [c % 65536 for c in digital.checksum]
            case "path_outside":
                assert "../" in file.read_text()
            case "implausible_rate":
                assert wfdb.rdheader(str(path)).fs == 1e12
            case _:
                with pytest.raises(ValueError, match="syntax"):
                    wfdb.rdheader(str(path))


def test_clinical_tables_have_mimic_columns_and_agree(cohort: CohortTruth) -> None:
    tables = {
        name: pd.read_csv(next(cohort.clinical.glob(f"{name}.csv*")), dtype={"ICD9_CODE": str})
        for name in ("PATIENTS", "ADMISSIONS", "ICUSTAYS", "DIAGNOSES_ICD", "PRESCRIPTIONS", "D_ICD_DIAGNOSES")
    }
    assert all(table.columns[0] == "ROW_ID" and table.ROW_ID.is_unique for table in tables.values())
    assert list(tables["PATIENTS"].SUBJECT_ID) == list(cohort.patients.subject_id)
    admissions = set(tables["ADMISSIONS"].HADM_ID)
    for name in ("ICUSTAYS", "DIAGNOSES_ICD", "PRESCRIPTIONS"):
        assert set(tables[name].HADM_ID) <= admissions
    assert set(tables["DIAGNOSES_ICD"].ICD9_CODE) <= set(tables["D_ICD_DIAGNOSES"].ICD9_CODE)
    assert not tables["DIAGNOSES_ICD"].duplicated(["HADM_ID", "ICD9_CODE"]).any()
    assert set(cohort.records.expected_hadm_id) - {-1} <= admissions
    assert int(tables["ADMISSIONS"].HOSPITAL_EXPIRE_FLAG.sum()) == int(
        (cohort.patients.death_where == "hospital").sum()
    )


def test_a_made_cohort_is_found_and_other_folders_are_left_alone(cohort: CohortTruth, tmp_path: Path) -> None:
    model = cohort.folder / "truth" / "model.json"
    before = model.stat().st_mtime_ns
    again = make_cohort(cohort.folder, N, MINUTES, seed=11, num_workers=0)
    assert model.stat().st_mtime_ns == before
    assert again.patients.equals(cohort.patients)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RefusedError, match="empty folder"):
        make_cohort(tmp_path, 1, 1.0)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(InputError, match="not a synthetic cohort"):
        read_truth(tmp_path)
    with pytest.raises(ValueError, match="minutes"):
        make_cohort(tmp_path / "x", 1, 0.0)


def test_a_cohort_of_other_parameters_is_replaced(tmp_path: Path) -> None:
    make_cohort(tmp_path / "c", 1, 0.5, seed=1, num_workers=0)
    second = make_cohort(tmp_path / "c", 1, 0.5, seed=2, num_workers=0)
    assert second.model["made_with"]["seed"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]
    (second.folder / "notes.txt").write_text("mine")
    with pytest.raises(RefusedError):
        make_cohort(tmp_path / "c", 1, 0.5, seed=3, num_workers=0)


def test_pieces_add_up_and_change_between_segments() -> None:
    changed_gain = changed_set = short = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pieces = plan_pieces(225_000, 125.0, ("II", "ABP", "PLETH"), "80", rng)
        assert sum(p.n_samples for p in pieces) == 225_000
        assert all(a.stop == b.start for a, b in pairwise(pieces))
        held = [p for p in pieces if p.channels]
        assert {"II", "PLETH"} <= set(max(held, key=lambda p: p.n_samples).channels)
        gains = [dict(zip(p.channels, p.gains, strict=True)) for p in held]
        changed_gain += any(a.get("II") != b.get("II") for a, b in pairwise(gains))
        changed_set += len({p.channels for p in held}) > 1
        short += min(p.n_samples for p in held) < 10
        assert all(len(set(p.channels)) == len(p.channels) and set(p.channels) <= set(UNITS) for p in held)
    assert min(changed_gain, changed_set, short) > 50


def test_digitize_cuts_at_the_limits_and_marks_the_missing() -> None:
    x_T = np.array([0.0, 9.0, -9.0, np.nan, 0.5])
    np.testing.assert_array_equal(digitize(x_T, 127, -64, "80"), [-64, 127, -127, MISSING_CODE["80"], 0])
    np.testing.assert_array_equal(digitize(x_T, 1000, 0, "16"), [0, 2047, -2047, MISSING_CODE["16"], 500])
    assert encode(np.array([[-128, 0]], np.int16), "80") == b"\x00\x80"
    assert encode(np.array([[-2, 1]], np.int16), "16") == b"\xfe\xff\x01\x00"
