"""Records damaged on purpose: what a reader meets in any large archive, each with the reason it should count."""

from collections.abc import Callable
from pathlib import Path

from ecgppg.synthetic.wfdb_files import RecordName

EXPECTED_REASONS = {
    "missing_dat": "missing_file",
    "missing_segment_header": "missing_file",
    "absent_record": "missing_file",
    "truncated_dat": "short_file",
    "broken_header": "bad_header",
    "wrong_checksum": "bad_checksum",
    "path_outside": "path_outside_folder",
    "implausible_rate": "implausible_value",
}
"""{kind of damage: reason of `ecgppg.config.schema.READ_REASONS`}."""


def damage_record(root: Path, name: RecordName, kind: str) -> str:
    """Damage a sound record in one place.

    Parameters
    ----------
    root : Path
        Waveform folder.
    name : RecordName
        A record with at least one segment.
    kind : str
        A key of `EXPECTED_REASONS`. "wrong_checksum" leaves the record readable.

    Returns
    -------
    str
        The file concerned, below `root`.
    """
    folder = root / Path(name.path).parent
    master = folder / f"{name.record}.hea"
    header = max(folder.glob(f"{name.stem}_[0-9]*.hea"), key=lambda p: (p.with_suffix(".dat").stat().st_size, p.name))
    data = header.with_suffix(".dat")
    target = header
    match kind:
        case "missing_dat":
            target = data
            data.unlink()
        case "missing_segment_header":
            header.unlink()
        case "absent_record":
            target = master
            for path in folder.glob(f"{name.stem}*"):
                path.unlink()
            master.unlink()
        case "truncated_dat":
            target = data
            whole = data.read_bytes()
            data.write_bytes(whole[: len(whole) * 2 // 5])
        case "broken_header":
            target = master
            master.write_bytes(b"\x00\xff\x13 not a header\n\x8a\x00" * 9)
        case "wrong_checksum":
            _replace_field(header, line=1, field=6, value=lambda old: str((int(old) + 12345 + 32768) % 65536 - 32768))
        case "path_outside":
            _replace_field(header, line=1, field=0, value=lambda old: f"../../../../outside/{old}")
        case "implausible_rate":
            target = master
            _replace_field(master, line=0, field=2, value=lambda old: "1000000000000")
        case _:
            raise ValueError(f"unknown damage {kind!r}")
    return str(target.relative_to(root))


def _replace_field(header: Path, line: int, field: int, value: Callable[[str], str]) -> None:
    lines = header.read_text(encoding="ascii").splitlines()
    fields = lines[line].split(" ")
    fields[field] = value(fields[field])
    lines[line] = " ".join(fields)
    header.write_text("".join(f"{text}\n" for text in lines), encoding="ascii")
