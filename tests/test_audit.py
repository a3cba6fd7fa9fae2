"""Files that a stranger could send: each is refused in one line and nothing outside it is read."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import InputError
from ecgppg.store.reader import open_dataset
from tests.store_samples import write_sample

ROWS = [(1, "r", 1250 * k) for k in range(4)]


def _replace(f: h5py.File, name: str, make: Callable[[], object]) -> None:
    del f[name]
    make()


def soft_link(f: h5py.File, _: Path) -> None:
    f.move("scale", "elsewhere")
    f["scale"] = h5py.SoftLink("/elsewhere")


def external_link(f: h5py.File, folder: Path) -> None:
    write_sample(folder / "other.h5", ROWS)
    _replace(f, "scale", lambda: f.__setitem__("scale", h5py.ExternalLink(str(folder / "other.h5"), "/scale")))


def external_link_to_a_column(f: h5py.File, folder: Path) -> None:
    _replace(f, "segments/subject", lambda: f.__setitem__("segments/subject", h5py.ExternalLink("x.h5", "/x")))


def external_group(f: h5py.File, folder: Path) -> None:
    _replace(f, "segments", lambda: f.__setitem__("segments", h5py.ExternalLink("x.h5", "/segments")))


def link_of_unknown_name(f: h5py.File, _: Path) -> None:
    f["notes"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(f: h5py.File, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_bytes(bytes(range(256)) * 4)
    _replace(f, "scale", lambda: f.create_dataset("scale", (4, 2), "<f4", external=[(str(secret), 0, 32)]))


def virtual_dataset(f: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4, 2, 100), "<i2")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "signals", (4, 2, 100))
    _replace(f, "signals", lambda: f.create_virtual_dataset("signals", layout))


def object_references(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/quality", lambda: f.create_dataset("segments/quality", (4,), h5py.ref_dtype))


def variable_length_numbers(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/flags", lambda: f.create_dataset("segments/flags", (4,), h5py.vlen_dtype(np.int16)))


def variable_length_strings(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/record", lambda: f.create_dataset("segments/record", (4,), h5py.string_dtype()))


def compound_type(f: h5py.File, _: Path) -> None:
    f.create_dataset("segments/label_x", (4,), np.dtype([("a", "i4")]))


def opaque_type(f: h5py.File, _: Path) -> None:
    f.create_dataset("segments/label_x", (4,), np.dtype("V8"))


def declared_and_never_written(f: h5py.File, _: Path) -> None:
    _replace(f, "signals", lambda: f.create_dataset("signals", (10**12, 2, 100), "<i2", chunks=(1, 2, 100)))


def contiguous_and_never_written(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/rr_cv", lambda: f.create_dataset("segments/rr_cv", (10**12,), "<f4"))


def compressed_bomb(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/rr_cv", lambda: f.create_dataset(
        "segments/rr_cv", (4,), "<f4", chunks=(50_000_000,), maxshape=(None,), compression="gzip"))  # fmt: skip
    f["segments/rr_cv"].id.write_direct_chunk((0,), b"x" * 100)


def twice_compressed(f: h5py.File, _: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_deflate(9)
    plist.set_deflate(9)
    space = h5py.h5s.create_simple((4,))
    del f["segments/rr_cv"]
    h5py.h5d.create(f["segments"].id, b"rr_cv", h5py.h5t.IEEE_F32LE, space, plist)
    f["segments/rr_cv"][:] = 0


def unknown_filter(f: h5py.File, _: Path) -> None:
    _replace(f, "scale", lambda: f.create_dataset("scale", data=np.ones((4, 2), "<f4"), compression="lzf"))


def wrong_rank(f: h5py.File, _: Path) -> None:
    _replace(f, "signals", lambda: f.create_dataset("signals", data=np.zeros((4, 200), "<i2")))


def float_signals(f: h5py.File, _: Path) -> None:
    _replace(f, "signals", lambda: f.create_dataset("signals", data=np.zeros((4, 2, 100), "<f4")))


def other_row_count(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/quality", lambda: f.create_dataset("segments/quality", data=np.zeros(3, "<f4")))


def other_type(f: h5py.File, _: Path) -> None:
    _replace(f, "segments/subject_id", lambda: f.create_dataset("segments/subject_id", data=np.zeros(4, "<f4")))


def scalar_column(f: h5py.File, _: Path) -> None:
    f["segments/label_x"] = 3


def group_for_dataset(f: h5py.File, _: Path) -> None:
    _replace(f, "scale", lambda: f.create_group("scale"))


def absent_signals(f: h5py.File, _: Path) -> None:
    del f["signals"]


def absent_column(f: h5py.File, _: Path) -> None:
    del f["segments/start_sample"]


def absent_attribute(f: h5py.File, _: Path) -> None:
    del f.attrs["config_hash"]


def attribute_of_references(f: h5py.File, _: Path) -> None:
    f.attrs["x"] = f.ref


def later_schema(f: h5py.File, _: Path) -> None:
    f.attrs["schema_version"] = 999


def too_few_channel_names(f: h5py.File, _: Path) -> None:
    f.attrs["channel_names"] = ["ECG"]


def rate_that_cannot_be(f: h5py.File, _: Path) -> None:
    f.attrs["sampling_rate_hz"] = -125.0


HOSTILE = {
    soft_link: "link to elsewhere", external_link: "link to elsewhere", external_group: "link to elsewhere",
    external_link_to_a_column: "link to elsewhere", link_of_unknown_name: "link to elsewhere",
    external_storage: "another file", virtual_dataset: "virtual",
    object_references: "holds objects", variable_length_numbers: "holds objects",
    variable_length_strings: "holds objects", compound_type: "holds objects", opaque_type: "holds objects",
    declared_and_never_written: "cannot hold", contiguous_and_never_written: "cannot hold",
    compressed_bomb: "larger than the file", twice_compressed: "filter", unknown_filter: "filter",
    wrong_rank: "rank 2", float_signals: "float32", other_row_count: r"shape \(3,\)", other_type: "not int64",
    scalar_column: "no rows", group_for_dataset: "not a dataset", absent_signals: "absent", absent_column: "absent",
    absent_attribute: "absent", attribute_of_references: "objects", later_schema: "schema version 999",
    too_few_channel_names: "does not name 2 channels", rate_that_cannot_be: "sampling_rate_hz",
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), HOSTILE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_hostile_file_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[h5py.File, Path], None], reason: str
) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    with h5py.File(path, "r+") as f:
        spoil(f, tmp_path)
    with pytest.raises(InputError, match=reason) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_user_block_is_refused(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    with h5py.File(path) as source, h5py.File(tmp_path / "u.h5", "w", userblock_size=512) as f:
        for name in source:
            source.copy(name, f)
        f.attrs.update(source.attrs)
    with pytest.raises(InputError, match="user block"):
        open_dataset(tmp_path / "u.h5")


def test_files_that_are_no_hdf5_or_cut_short(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    whole = path.read_bytes()
    for n_bytes in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(InputError, match=r"d\.h5"):
            open_dataset(path)
    path.write_text("not HDF5")
    with pytest.raises(InputError, match="not a readable HDF5"):
        open_dataset(path)
    for absent in (tmp_path / "absent.h5", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            open_dataset(absent)


def test_random_damage_is_refused_or_read_and_never_crashes(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with contextlib.suppress(InputError), open_dataset(path) as dataset:
            assert dataset.shape[1:] == (2, 100)
