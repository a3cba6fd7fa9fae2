"""Dataset files of a stranger, given to --train-only and to the scripts: refused in one line, nothing else is read."""

import importlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.cli import consume, production
from ecgppg.config.schema import OutputLayout
from ecgppg.store.metadata import write_metadata
from ecgppg.store.reader import open_dataset
from tests import test_audit as crafted
from tests.store_samples import write_sample
from tests.watched_files import little_memory, unopened

ROWS = [(s, "r", 1250 * k) for s in (1, 2, 3, 4) for k in range(1)]
Said = pytest.CaptureFixture[str]


def region_references(f: h5py.File, _: Path) -> None:
    del f["segments/quality"]
    f.create_dataset("segments/quality", (4,), h5py.regionref_dtype)


def one_enormous_chunk(f: h5py.File, _: Path) -> None:
    # 256 MB of zeros, honestly packed into a quarter of one: a bomb that any size check by ratio lets pass.
    del f["signals"]
    f.create_dataset(
        "signals", (4, 2, 2**24), "<i2", data=None, chunks=(4, 2, 2**24), compression="gzip", compression_opts=1
    )
    f["signals"][0, 0, :10] = 1


def columns_of_zeros(f: h5py.File, _: Path) -> None:
    del f["segments/record"]
    f.create_dataset("segments/record", (4,), "S67108864", chunks=(1,), compression="gzip")
    f["segments/record"][:] = b"r"


def nan_scale(f: h5py.File, _: Path) -> None:
    f["scale"][2, 0] = np.nan


def group_that_holds_itself(f: h5py.File, _: Path) -> None:
    f["segments/loop"] = f["segments"]


def cut_short(f: h5py.File, folder: Path) -> None:
    f.close()
    path = folder / "full_dataset.h5"
    path.write_bytes(path.read_bytes()[:-700])


def no_hdf5(f: h5py.File, folder: Path) -> None:
    f.close()
    (folder / "full_dataset.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(3000))


HOSTILE: dict[Callable[[h5py.File, Path], None], str] = {
    crafted.external_storage: "another file", crafted.virtual_dataset: "virtual",
    crafted.soft_link: "link to elsewhere",
    crafted.external_link: "link to elsewhere", crafted.object_references: "holds objects",
    region_references: "holds objects", crafted.declared_and_never_written: "cannot hold",
    crafted.variable_length_numbers: "holds objects", crafted.compressed_bomb: "chunks",
    one_enormous_chunk: "chunks", columns_of_zeros: "unpack", crafted.float_signals: "float32",
    nan_scale: "scale holds", group_that_holds_itself: "not a dataset",
    cut_short: "full_dataset.h5", no_hdf5: "full_dataset.h5",
}  # fmt: skip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder with a dataset and its table, and beside it a file that nobody may open."""
    folder = tmp_path / "out"
    folder.mkdir()
    layout = OutputLayout(folder)
    write_sample(layout.dataset, ROWS)
    with open_dataset(layout.dataset) as dataset:
        write_metadata(layout.metadata, None, dataset.to_frame())
    (tmp_path / "secret").write_bytes(b"secret" * 1000)
    write_sample(tmp_path / "other.h5", ROWS)
    return folder


def spoil(out: Path, how: Callable[[h5py.File, Path], None]) -> None:
    with h5py.File(out / "full_dataset.h5", "r+") as f:
        how(f, out if how in (cut_short, no_hdf5) else out.parent)


@pytest.mark.parametrize(("how", "reason"), HOSTILE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_train_only_refuses_it_in_one_line(out: Path, how: Callable, reason: str, capsys: Said) -> None:
    importlib.import_module("ecgppg.stages.train")  # what the command imports is not measured
    secret = out.parent / "secret"
    spoil(out, how)
    with unopened(secret), unopened(out.parent / "other.h5"), little_memory(300 * 2**20):
        assert production.main(["--train-only", "--output-dir", str(out), "--device", "cpu"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert reason in line
    assert str(out) in line
    assert not OutputLayout(out).latest_checkpoint.exists()


def test_the_watch_sees_what_hdf5_opens(out: Path) -> None:
    spoil(out, crafted.external_storage)
    with (
        pytest.raises(AssertionError, match="was opened"),
        unopened(out.parent / "secret"),
        h5py.File(out / "full_dataset.h5") as f,
    ):
        f["scale"][:]


@pytest.mark.parametrize("consumer", [consume.CLUSTERING, consume.VALIDATION, consume.STROKE], ids=lambda c: c.stage)
def test_the_scripts_refuse_it_in_place_of_their_own_file(out: Path, consumer: consume.Consumer, capsys: Said) -> None:
    for how in (crafted.external_storage, crafted.virtual_dataset, no_hdf5):
        write_sample(out / "full_dataset.h5", ROWS)
        spoil(out, how)
        file = out / consumer.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((out / "full_dataset.h5").read_bytes())
        with unopened(out.parent / "secret"):
            assert consume.main(consumer, [consumer.option, str(file)]) == 2
        assert str(file) in capsys.readouterr().err.splitlines()[-1]


def test_check_names_it(out: Path, capsys: Said) -> None:
    spoil(out, crafted.external_storage)
    with unopened(out.parent / "secret"):
        assert production.main(["--check", "--deep", "--output-dir", str(out)]) in (1, 2)
    assert "another file" in capsys.readouterr().out
