"""Bad input wherever a user can reach: one line, the right exit code, and nothing lost that was already done."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgppg.cli import consume, production
from ecgppg.cli.guard import run_guarded
from ecgppg.config.errors import ConfigError, EcgppgError
from ecgppg.config.load import build_settings, parse_assignments, read_settings_file
from ecgppg.config.settings import Settings
from tests.test_end_to_end import SMALL

Said = pytest.CaptureFixture[str]
NONSENSE = (
    "-1", "0", "x", "[]", "null", "1e400", ".nan", "-.inf", "9" * 30, "true", "{}", "[[]]", "[null]", "''",
    "2020-01-01",     "1e-320", '"\\0"', '"a\\nb"', "&a [*a]", "!!python/object:os.system x", "1" * 5000,
)  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("bad") / "cohort"
    make_cohort(folder, n_patients=4, minutes=2, seed=1, num_workers=0)
    return folder


@pytest.fixture(scope="module")
def built(cohort: Path) -> Path:
    """A dataset that is done."""
    out = cohort.parent / "built"
    assert production.main(build_words(cohort, out)) == 0
    return out


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "copy")


def build_words(cohort: Path, out: Path, *more: str) -> list[str]:
    config = cohort.parent / "small.json"
    config.write_text(json.dumps(SMALL | {"num_workers": 0, "min_segments_per_patient": 1}))
    inputs = ["--waveforms", str(cohort / "waveforms"), "--clinical", str(cohort / "clinical")]
    return ["--build-dataset", *inputs, "--config", str(config), "--output-dir", str(out), *more]


def refused(words: list[str], said: Said, main: Callable[[list[str]], int] = production.main) -> str:
    """The one line of a command that ends with 2."""
    said.readouterr()
    try:
        code = main(words)
    except SystemExit as stop:
        code = int(str(stop.code))
    lines = [line for line in said.readouterr().err.splitlines() if line and not line.startswith("== ")]
    assert code == 2, lines
    assert len(lines[-1]) < 600
    assert "Traceback" not in lines[-1]
    return lines[-1]


@pytest.mark.parametrize("key", Settings.model_fields)
def test_nonsense_in_any_setting_is_refused_in_one_line_or_is_a_value(key: str) -> None:
    for word in NONSENSE:
        settings, said = None, ""
        try:
            settings = build_settings(parse_assignments([f"{key}={word}"]))
        except ConfigError as error:
            said = str(error)
        assert "\n" not in said
        assert len(said) < 600
        if settings is not None:
            json.dumps(settings.model_dump(mode="json"), allow_nan=False)
            assert word != "true" or isinstance(getattr(settings, key), bool | str)


BOMB = "a: &a [x,x]\n" + "".join(f"k{i}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("deep.json", b"[" * 100_000, "without end"),
        ("deep.yaml", b"[" * 500, "without end"),
        ("self.yaml", b"&a {seed: *a}", "alias"),
        ("bomb.yaml", BOMB.encode(), "alias"),
        ("empty.json", b"", "not JSON"),
        ("list.json", b"[1]", "found list"),
        ("binary.json", b"\xff\xfe\x00", "cannot be read"),
        ("later.json", b'{"setting_of_a_later_version": 1}', "later.json: unknown setting"),
        ("long.json", b'{"' + b"k" * 5000 + b'": 1}', "unknown setting"),
        ("config.txt", b"{}", "expected a .json"),
    ],
)
def test_a_config_file_that_cannot_serve_is_one_line(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_settings_file(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_config_file_from_another_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_bytes(b'\xef\xbb\xbf{"seed": 1}')
    assert read_settings_file(tmp_path / "bom.json") == {"seed": 1}


def test_options_that_cannot_be_are_refused_before_any_work(cohort: Path, tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "file"
    file.write_text("")
    lists = tmp_path / "lists.yaml"
    lists.write_text("version: '1'\nsource: none\nlabels: {}\n")
    out = tmp_path / "out"
    whole = ["--waveforms", str(cohort / "waveforms"), "--output-dir", str(out)]
    for words, expected in (
        ([*whole, "--device", "nonsense"], "device"),
        ([*whole, "--device", "cuda:99"], "device"),
        ([*whole, "--set", "segment_seconds=4"], "crop_seconds"),
        ([*whole, "--clinical", ""], "names nothing"),
        (["--dry-run", *whole, "--set", f"code_lists={lists}"], "labels lacks stroke"),
        (build_words(cohort, out, "--set", f"code_lists={lists}"), "labels lacks stroke"),
        (build_words(cohort, file / "below"), f"{file} is a file"),
        (build_words(cohort, tmp_path / ("x" * 300)), "no folder can have this name"),
        (build_words(cohort, Path("/proc/none")), "cannot be made"),
        (["--demo", "--waveforms", str(cohort), "--output-dir", str(out)], "--demo makes its own"),
    ):
        assert expected in refused(words, capsys)
        assert not out.exists()


def test_a_wrong_folder_costs_neither_dataset_nor_settings(cohort: Path, copy: Path, capsys: Said) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.suffix != ".log"}
    empty = copy.parent / "empty"
    empty.mkdir()
    wrong = ["--build-dataset", "--waveforms", str(empty), "--output-dir", str(copy)]
    assert str(empty) in refused(wrong, capsys)
    assert str(empty) in refused([*wrong, "--fresh", "--source", "wfdb"], capsys)
    assert "holds other work" in refused(["--demo", "--output-dir", str(copy)], capsys)
    assert "sampling_rate_hz" in refused(
        ["--relabel", "--output-dir", str(copy), "--set", "sampling_rate_hz=100"], capsys
    )
    assert "primary_outcome" in refused(
        ["--train-only", "--output-dir", str(copy), "--set", "primary_outcome=x"], capsys
    )
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.suffix != ".log"}
    assert after == before


def test_a_dataset_that_was_not_made_here_is_not_replaced(cohort: Path, tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "full_dataset.h5").write_bytes(b"somebody's own")
    assert "was not made here" in refused(build_words(cohort, out), capsys)
    assert (out / "full_dataset.h5").read_bytes() == b"somebody's own"


def test_damaged_artefacts_are_made_again_or_named(cohort: Path, copy: Path, capsys: Said) -> None:
    metadata = copy / "full_dataset_metadata.parquet"
    whole = metadata.read_bytes()
    metadata.write_bytes(whole[: len(whole) // 2])
    assert "full_dataset_metadata.parquet" in refused(["--train-only", "--output-dir", str(copy)], capsys)
    assert production.main(build_words(cohort, copy)) == 0
    assert production.main(["--check", "--deep", "--output-dir", str(copy)]) == 0

    flipped = bytearray((copy / "full_dataset.h5").read_bytes())
    flipped[len(flipped) // 2] ^= 255
    (copy / "full_dataset.h5").write_bytes(flipped)
    assert "not as it was finished" in refused(["--relabel", "--output-dir", str(copy)], capsys)
    assert (copy / "full_dataset.h5").read_bytes() == flipped, "a fault is not recorded anew"
    for content in ("[]", "{}"):
        (copy / "dataset_card.json").write_text(content)
        assert "dataset_card.json" in refused(["--report", "--output-dir", str(copy)], capsys)


def test_a_run_that_keeps_nothing_ends_well_and_says_so(cohort: Path, tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "out"
    words = [word for word in build_words(cohort, out, "--set", "min_signal_quality=1") if word != "--build-dataset"]
    assert production.main(words) == 0
    said = capsys.readouterr().err
    assert "NOTHING WAS KEPT" in said
    assert "are left out" in said
    assert "at least two windows" in refused(["--train-only", "--output-dir", str(out)], capsys)
    assert production.main(["--check", "--output-dir", str(out)]) == 0


def test_labels_without_a_value_do_not_stop_a_build(tmp_path: Path) -> None:
    import numpy as np

    folder = tmp_path / "records"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(-500, 500, 125 * 30, np.int16)
    (folder / "a.hea").write_text(f"a 1 125 {len(noise)}\na.dat 16 200 16 0 0 0 0 II\n")
    noise.tofile(folder / "a.dat")
    (folder / "records.csv").write_text("record,subject,rhythm\na,1,\nb,2,AF\n")
    words = ["--build-dataset", "--source", "wfdb", "--waveforms", str(folder), "--output-dir", str(tmp_path / "o")]
    channels = ["--set", "channels=[ECG]", "--set", "required_channels=[ECG]", "--num-workers", "0"]
    assert production.main([*words, *channels]) == 0


def test_an_impossible_list_of_records_is_one_line(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "RECORDS").write_text("../up\n/etc/passwd\n" + "x" * 5000 + "\n" + "a/" * 3000 + "\n\x1b[31m../b\n")
    assert (
        production.main(
            ["--dry-run", "--source", "wfdb", "--waveforms", str(tmp_path), "--output-dir", str(tmp_path / "o")]
        )
        == 0
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_tables_that_share_no_patient_are_refused(cohort: Path, tmp_path: Path, capsys: Said) -> None:
    clinical = shutil.copytree(cohort / "clinical", tmp_path / "clinical")
    text = (clinical / "ADMISSIONS.csv").read_text().splitlines()
    rows = [",".join([row.split(",")[0], "-" + row.split(",")[1], *row.split(",")[2:]]) for row in text[1:]]
    (clinical / "ADMISSIONS.csv").write_text("\n".join([text[0], *rows]) + "\n")
    words = ["--dry-run", "--waveforms", str(cohort / "waveforms"), "--output-dir", str(tmp_path / "o")]
    assert "no admission" in refused([*words, "--clinical", str(clinical)], capsys)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_files_of_a_stage_that_hold_something_else_are_named(content: bytes, tmp_path: Path, capsys: Said) -> None:
    for consumer in (consume.CLUSTERING, consume.VALIDATION, consume.STROKE):
        file = tmp_path / consumer.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        words = [consumer.option, str(file)]
        assert str(tmp_path) in refused(words, capsys, lambda words, c=consumer: consume.main(c, words))


def test_a_full_disk_is_one_line_and_exit_1(capsys: Said) -> None:
    def hdf5(kind: type[Exception]) -> Callable[[], int]:
        def fail() -> int:
            message = (
                f"file write failed: time = now\n, filename = '/a/b.h5', errno = {errno.ENOSPC}, error message = ''"
            )
            raise kind(errno.ENOSPC, message) if kind is OSError else kind(message)

        return fail

    def plain() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/a/b.h5")

    for fail in (hdf5(OSError), hdf5(RuntimeError), plain):
        assert run_guarded(fail) == 1
        assert capsys.readouterr().err == "ecgppg: No space left on device: /a/b.h5\n"


def test_our_own_faults_keep_their_traceback() -> None:
    def fault() -> int:
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        run_guarded(fault)
    assert not issubclass(RuntimeError, EcgppgError)
