"""What is kept of which rhythm: planted noise has the strength it should, tables count right, no heart is dropped."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.evaluation.retention import judge_records, markdown, retention_by, shortly_before, with_labels
from ecgppg.evaluation.retention_noise import KINDS, clean_windows, make_noise, noise_envelope, typical_height
from ecgppg.evaluation.retention_planted import at_height, compare, find_clean, noisy_codes, plant_and_judge
from ecgppg.sources.find import find_patients
from tests.planted_beats import FS_HZ, af_times, ecg_of, sinus_times
from tests.wfdb_records import write_segment

ROOT = Path(__file__).resolve().parent.parent
N_WINDOWS = 3


def taped(rhythm: str, seed: int, noise_mv: float = 0.01) -> np.ndarray:
    """Three windows end to end, mV."""
    rng = np.random.default_rng(seed)
    windows = []
    for _ in range(N_WINDOWS):
        times = {"N": sinus_times(70, rng), "A": af_times(100, rng), "asystole": np.zeros(0)}[rhythm]
        windows.append(ecg_of(times, p_wave=0.1 if rhythm == "N" else 0))
    ecg_T = np.concatenate(windows)
    return ecg_T + noise_mv * rng.standard_normal(len(ecg_T))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings of each rhythm, and two of a heart that stands still."""
    root = tmp_path_factory.mktemp("recordings")
    rows = []
    for rhythm, n in (("N", 8), ("A", 8), ("asystole", 2)):
        for i in range(n):
            name = f"{rhythm}{i}"
            codes = np.rint(200 * taped(rhythm, i)).astype(int)
            write_segment(root, name, {"II": codes}, gain="200(0)/mV")
            rows.append(f"{name},{rhythm}")
    (root / "rhythm.csv").write_text("\n".join(["record,rhythm", *rows]) + "\n")
    return root


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return Settings(
        source="wfdb",
        waveforms_dir=str(folder),
        records_csv=str(folder / "rhythm.csv"),
        channels=["ECG"],
        required_channels=["ECG"],
    )


def judged(folder: Path, settings: Settings) -> pd.DataFrame:
    patients = find_patients(settings)
    owners = [(patient.subject_id, record) for patient in patients for record in patient.records]
    return with_labels(judge_records(folder, owners, settings), patients, ["label_rhythm"])


def test_no_heart_is_dropped_and_tables_count(folder: Path, settings: Settings) -> None:
    windows = judged(folder, settings)
    assert len(windows) == 18 * N_WINDOWS
    assert windows["kept"].all()
    everything, *groups = retention_by(windows, ["label_rhythm"])
    assert (everything.n_windows, everything.kept.n_patients) == (54, 18)
    assert [(r.group, r.n_windows, r.kept.n_patients) for r in groups] == [
        (("A",), 24, 8),
        (("N",), 24, 8),
        (("asystole",), 6, 2),
    ]
    # Two patients of whom all is kept: the interval of a patient counted once, 0.025 ** (1 / 2).
    assert groups[2].kept.low == pytest.approx(0.158, abs=1e-3)
    assert markdown([groups[0]], ["label_rhythm"]).splitlines()[-1].startswith("| A | 8 | 24 | 100.0 | ")
    with pytest.raises(InputError, match="label_rhythm"):
        with_labels(windows, find_patients(settings), ["label_none"])


def test_reasons_are_counted_and_windows_without_beats_told_apart() -> None:
    windows = pd.DataFrame(
        {
            "subject_id": [1, 1, 2, 2],
            "start_s": [270.0, 280.0, 290.0, 300.0],
            "kept": [True, False, True, False],
            "reason": ["", "missing", "", "constant"],
            "n_beats": [9, 0, 0, 3],
        }
    )
    (found,) = retention_by(windows, [])
    assert found.dropped == {"missing": 1, "constant": 1}
    assert (found.no_beats, found.no_beats_kept) == (2, 1)
    assert found.kept.estimate == 0.5
    assert shortly_before(windows, 300.0, 10.0).tolist() == [False, True, True, False]


@pytest.mark.parametrize("kind", list(KINDS))
def test_noise_has_unit_power_and_its_own_band(kind: str) -> None:
    noise_T = make_noise(kind, 30000, 300.0, np.random.default_rng(0))
    assert noise_T.mean() == pytest.approx(0, abs=1e-9)
    assert noise_T.std() == pytest.approx(1)
    power = np.abs(np.fft.rfft(noise_T)) ** 2
    hz = np.fft.rfftfreq(30000, 1 / 300)
    low, high = {"white": (0, 150), "wander": (0.04, 0.51), "muscle": (18, 123), "motion": (0, 25)}[kind]
    assert power[(hz >= low) & (hz <= high)].sum() > 0.98 * power.sum()
    np.testing.assert_array_equal(noise_T, make_noise(kind, 30000, 300.0, np.random.default_rng(0)))


def test_height_does_not_go_by_the_rate_and_power_does() -> None:
    slow, fast = (clean_windows(np.tile(ecg_of(np.arange(0.2, 10, rr)), 3), FS_HZ, 10.0) for rr in (1.0, 0.5))
    assert slow.clean_N.all()
    assert fast.clean_N.all()
    np.testing.assert_allclose(fast.strength["height"] / slow.strength["height"], 1, atol=0.1)
    np.testing.assert_allclose(fast.strength["power"] / slow.strength["power"], np.sqrt(2), atol=0.15)
    assert typical_height(np.sin(np.arange(1250)), 125.0) == pytest.approx(2, abs=0.01)


def test_noisy_and_swaying_windows_are_not_clean() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(3 * 1250) / FS_HZ
    ecg_T = np.tile(ecg_of(sinus_times(70, rng)), 3) + 0.005 * rng.standard_normal(len(t))
    noisy_T = ecg_T + 0.2 * rng.standard_normal(len(t)) * (t < 10)
    swaying_T = ecg_T + 0.5 * np.sin(2 * np.pi * 0.3 * t) * (t > 20)
    assert clean_windows(ecg_T, FS_HZ, 10.0).clean_N.tolist() == [True] * 3
    assert clean_windows(noisy_T, FS_HZ, 10.0).clean_N.tolist() == [False, True, True]
    assert clean_windows(swaying_T, FS_HZ, 10.0).clean_N.tolist() == [True, True, False]


def test_every_window_gets_the_ratio_asked_for(folder: Path, settings: Settings) -> None:
    recording = find_clean(folder, find_patients(settings), "label_rhythm", ("A", "N"), settings)[0]
    envelope_T = noise_envelope(np.array([1.0, 3.0]), 2600, 1250, 6.0)
    assert envelope_T[[0, 1100, 1400, 2599]] == pytest.approx(np.array([1, 1, 3, 3]) * 10**-0.3)
    noise_T = noisy_codes(recording, "white", 6.0, "power", 0, 10.0) / recording.gain - recording.ecg_T
    for k, strength in enumerate(recording.clean.strength["power"]):
        middle = noise_T[1250 * k + 125 : 1250 * (k + 1) - 125]
        assert 20 * np.log10(strength / middle.std()) == pytest.approx(6, abs=0.6)


def test_recordings_brought_to_one_height_keep_their_shape_and_the_ratio(folder: Path, settings: Settings) -> None:
    recording = find_clean(folder, find_patients(settings), "label_rhythm", ("A", "N"), settings)[0]
    small = at_height(recording, 0.2)
    clean = clean_windows(small.ecg_T, FS_HZ, 10.0)
    assert np.sqrt(8) * np.median(clean.strength["height"][clean.clean_N]) == pytest.approx(0.2)
    np.testing.assert_array_equal(clean.clean_N, recording.clean.clean_N)
    for measure in ("height", "power"):
        np.testing.assert_allclose(small.clean.strength[measure], clean.strength[measure])
    np.testing.assert_allclose(small.ecg_T / small.ecg_T.std(), recording.ecg_T / recording.ecg_T.std())


def test_planted_noise_falls_on_two_rhythms_alike(folder: Path, settings: Settings) -> None:
    groups = ("A", "N")
    recordings = find_clean(folder, find_patients(settings), "label_rhythm", groups, settings)
    assert len(recordings) == 16
    planted = plant_and_judge(recordings, settings, [20.0, -20.0], "power", ["white", "motion"], draws=2)
    assert len(planted) == sum(int(r.clean.clean_N.sum()) for r in recordings) * 2 * 2 * 2
    assert planted.loc[planted["snr_db"] == 20, "kept"].all()
    assert not planted.loc[(planted["snr_db"] == -20) & (planted["kind"] == "white"), "kept"].any()
    found = {(c.kind, c.snr_db): c for c in compare(planted, groups)}
    clean = found["white", 20.0]
    assert clean.difference.estimate == 0
    # All of eight recordings of each: no difference was seen, and yet one of a third could be there.
    assert clean.difference.low == pytest.approx(-(1 - 0.025 ** (1 / 8)))
    assert found["white", -20.0].difference.n_patients == 16
    with pytest.raises(InputError, match="fewer than two recordings with label_rhythm O"):
        find_clean(folder, find_patients(settings), "label_rhythm", ("A", "O"), settings)


def test_command_prints_tables_and_draws(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*options: str) -> tuple[int, str]:
        command = ["measure_retention.py", "--waveforms", str(folder), "--records-csv", str(folder / "rhythm.csv")]
        monkeypatch.setattr(sys, "argv", [*command, *options])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "scripts" / "measure_retention.py"), run_name="__main__")
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    figure, planted = tmp_path / "kept.png", tmp_path / "planted.png"
    code, text = run("--by", "rhythm", "--event-s", "30", "--figure", str(figure))
    assert code == 0, text
    assert "| asystole | 2 | 6 | 100.0 | 15.8 to 100.0 |" in text
    assert "| asystole | 2 | 4 | 100.0 | 15.8 to 100.0 |" in text
    code, text = run("--by", "rhythm", "--plant", "A", "N", "--snr-db", "10", "--figure", str(planted))
    assert code == 0, text
    assert "| muscle | 10 | 100.0 (63.1 to 100.0) |" in text
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (figure, planted))
    code, text = run("--plant", "A", "N")
    assert code == 2
    assert "--plant" in text


@pytest.mark.parametrize("channels", [["ECG"], pytest.param(["ECG", "PPG"], marks=pytest.mark.slow)])
def test_no_true_asystole_is_dropped_for_lack_of_beats(data_dir: Path, channels: list[str]) -> None:
    """Real alarms: whatever is dropped of them lacks samples or repeats one code, and no true asystole is dropped."""
    root = data_dir / "challenge2015" / "training"
    settings = Settings(source="wfdb", waveforms_dir=str(root), channels=channels, required_channels=channels)
    patients = find_patients(settings)
    owners = [(patient.subject_id, record) for patient in patients for record in patient.records]
    windows = judge_records(root, owners, settings)
    windows = with_labels(windows, patients, ["label_alarm", "label_true"])
    asystole = windows[(windows["label_alarm"] == "Asystole") & (windows["label_true"] == "1")]
    assert asystole["subject_id"].nunique() == 4
    assert asystole["kept"].all()
    assert set(windows.loc[~windows["kept"], "reason"]) <= {"missing", "constant"}
    true_ecg = windows[(windows["label_true"] == "1") & (windows["reason"] == "missing")]
    assert true_ecg.empty
    assert shortly_before(windows, 300.0, 10.0).sum() == 2 * len(patients)


@pytest.mark.slow
def test_rhythms_of_the_2017_recordings_are_kept_alike(data_dir: Path) -> None:
    """AF and sinus rhythm under the same noise at fixed ratios: no interval of the difference beyond 5 points."""
    root = data_dir / "cinc2017" / "training2017"
    settings = Settings(
        source="wfdb",
        waveforms_dir=str(root),
        records_csv=str(root.parent / "REFERENCE.csv"),
        channels=["ECG"],
        required_channels=["ECG"],
    )
    recordings = find_clean(root, find_patients(settings), "label_reference", ("A", "N"), settings)
    planted = plant_and_judge(recordings, settings, [12.0, 0.0, -6.0, -12.0], "power", ["white", "muscle"], draws=2)
    found = compare(planted, ("A", "N"))
    assert min(c.kept[0].estimate for c in found) < 0.1
    for comparison in found:
        assert -0.05 <= comparison.difference.low <= comparison.difference.high <= 0.05
