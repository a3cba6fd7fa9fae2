"""Settings of the run as a whole: where the inputs lie, how much of them, with what machinery."""

import re
from typing import Literal

from pydantic import field_validator

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
    num_workers: int = execution(2, "worker processes on this machine", ge=0, le=1024)
    backend: Literal["local", "dask", "ray"] = execution("local", "what runs the build's jobs")
    dask_address: str | None = execution(None, "running Dask scheduler, tcp://host:port; null: workers started here")
    ray_address: str | None = execution(None, "running Ray cluster, host:port of its head, or auto; null: started here")
    device: str = execution("auto", "auto, cpu, cuda or cuda:N")
    seed: int = content("run", 42, "root of every random choice", ge=0, lt=2**31)

    @field_validator("dask_address")
    @classmethod
    def _of_dask(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(tcp|tls)://[^/\s]+:\d+", value):
            raise ValueError("expected tcp://host:port")
        return value

    @field_validator("ray_address")
    @classmethod
    def _of_ray(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"auto|[^/\s]+:\d+", value):
            raise ValueError("expected host:port of the head node, or auto on a machine of the cluster")
        return value
