"""Settings of the run as a whole: where the inputs lie, how much of them, with what machinery."""

from typing import Literal

from ecgppg.config.keys import SettingsPart, content, execution, growth


class RunSettings(SettingsPart):
    """Inputs, limits and machinery."""

    source: Literal["mimic3", "wfdb"] = content("build", "mimic3", "mimic3: matched layout; wfdb: any WFDB folder")
    waveforms_dir: str | None = execution(None, "folder of the WFDB records")
    clinical_dir: str | None = execution(None, "folder of the MIMIC-III tables; without it every label is -1")
    records_csv: str | None = execution(None, "wfdb source: table of record, subject and labels, if not beside RECORDS")
    patients_file: str | None = execution(None, "text file of subject ids, one a line: build these only")
    max_patients: int | None = growth(None, "patients to build, those with most data first; null: all", ge=1)
    chunk_size: int = execution(500, "patients per chunk (one shard file each)", ge=1)
    num_workers: int = execution(2, "worker processes", ge=0, le=1024)
    device: str = execution("auto", "auto, cpu, cuda or cuda:N")
    seed: int = content("run", 42, "root of every random choice", ge=0, lt=2**31)
