"""Which engine is chosen, and what is refused before any work: one line, exit 2."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from ecgppg.config.errors import ConfigError, RunError
from ecgppg.config.load import build_settings
from ecgppg.config.settings import Settings
from ecgppg.core import engine as engine_module
from ecgppg.core import worker_side
from ecgppg.core.engine import LOCAL, Engine, chosen_engine
from ecgppg.core.parallel import map_jobs
from ecgppg.core.worker_side import OnWorker, software
from tests.engine_jobs import square

ROOT = Path(__file__).resolve().parent.parent
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@contextmanager
def silent_port() -> Iterator[int]:
    """A port of this machine that is taken and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def refused(*words: object) -> str:
    """What the command says; it must end with 2 and one line."""
    line = [sys.executable, "production_pipeline.py", *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_settings_choose_the_engine_and_the_address_that_goes_with_it(tmp_path: Path) -> None:
    chosen = Settings(waveforms_dir="/records", backend="dask", dask_address="tcp://node:8786", ray_address="auto")
    assert chosen_engine(chosen, tmp_path) == Engine("dask", "tcp://node:8786", (Path("/records"),), tmp_path)
    assert chosen_engine(Settings(backend="ray", dask_address="tcp://node:8786"), tmp_path).address is None
    assert chosen_engine(Settings(), tmp_path).backend == LOCAL.backend == "local"


def test_the_engine_is_how_to_run_and_never_hashed() -> None:
    content = [key for stage in ("run", "build", "label", "split", "train") for key in Settings().content(stage)]
    assert not {"backend", "dask_address", "ray_address", "num_workers"} & set(content)


@pytest.mark.parametrize("key", ["dask_address", "ray_address"])
@pytest.mark.parametrize("value", ["node", "http://node:1", "tcp://node", "tcp://a b:1", ":8786 ", "ray://node:10001"])
def test_what_is_no_address_is_refused_with_what_is_expected(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"setting {key}: expected .*host:port"):
        build_settings({key: value})


def test_an_engine_that_is_not_installed_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine_module.EXTRAS, "ray", ("no_such_package", "Ray"))
    with pytest.raises(ConfigError, match=r"--backend ray: Ray is not installed; pip install 'ecgppg\[ray\]'"):
        next(map_jobs(square, [1], 2, Engine("ray")))


@needs_dask
def test_dask_on_this_machine_needs_a_worker() -> None:
    with pytest.raises(ConfigError, match="needs --num-workers of 1 or more"):
        Engine("dask").check(num_workers=0)


@needs_dask
@needs_ray
@pytest.mark.parametrize(("backend", "scheme"), [("dask", "tcp://"), ("ray", "")])
def test_a_cluster_that_does_not_answer_is_refused_before_work(backend: str, scheme: str, tmp_path: Path) -> None:
    (tmp_path / "waveforms").mkdir()
    with silent_port() as port:
        address = f"{scheme}127.0.0.1:{port}"
        began_s = time.monotonic()
        with pytest.raises(ConfigError, match=rf"--{backend}-address {address}: no \w+ \w+"):
            Engine(backend, address).check(num_workers=0)
        assert time.monotonic() - began_s < 15
        said = refused(
            "--build-dataset", "--waveforms", tmp_path / "waveforms", "--output-dir", tmp_path / "out",
            "--backend", backend, f"--{backend}-address", address,
        )  # fmt: skip
    assert address in said
    assert not (tmp_path / "out").exists()


def test_an_address_for_an_engine_that_is_not_chosen_is_refused(tmp_path: Path) -> None:
    said = refused("--build-dataset", "--output-dir", tmp_path, "--dask-address", "tcp://node:8786")
    assert "--dask-address: goes with --backend dask, not with local" in said


def test_a_worker_with_other_software_takes_no_job() -> None:
    assert OnWorker(square, software(), ())(3) == 9
    with pytest.raises(RunError, match=r"worker on \S+: has numpy .*, here it is 0.1; install the same"):
        OnWorker(square, software() | {"numpy": "0.1"}, ())(3)


def test_a_worker_that_does_not_see_the_files_takes_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_side, "SIGHT_SECONDS", 0.0)
    with pytest.raises(RunError, match=r"worker on \S+: does not see .*absent; every machine must see"):
        OnWorker(square, software(), (str(tmp_path), str(tmp_path / "absent")))(3)
