"""Which engine runs the jobs, and what is refused before it does."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ecgppg.config.errors import ConfigError, RunError
from ecgppg.config.settings import Settings
from ecgppg.core.jobs import Workers
from ecgppg.core.worker_side import OnWorker, software

EXTRAS = {"dask": ("distributed", "Dask"), "ray": ("ray", "Ray")}


@dataclass(frozen=True)
class Engine:
    """Where jobs run.

    Parameters
    ----------
    backend : {"local", "dask", "ray"}
        Processes of this machine, Dask or Ray.
    address : str, optional
        A running cluster; without it Dask and Ray start workers on this machine, and end them.
    inputs : tuple of Path
        Folders that jobs read: every machine of a cluster must see them under the same paths.
    output : Path, optional
        Folder that jobs write into, likewise.
    patience_s : float
        How long a cluster may be without any worker before the run gives it up.
    """

    backend: Literal["local", "dask", "ray"] = "local"
    address: str | None = None
    inputs: tuple[Path, ...] = ()
    output: Path | None = None
    patience_s: float = 300.0

    @contextmanager
    def started(self, function: Callable[[Any], Any], num_workers: int) -> Iterator[tuple[Workers, Callable[..., Any]]]:
        """Run the workers during the block; gives them and the function as they are to call it.

        Raises
        ------
        ConfigError
            Not installed, or no worker to start.
        RunError
            The cluster does not answer.
        """
        self.refuse_what_cannot_be(num_workers)
        with self._witnesses() as must_see:
            workers = self._start(num_workers)
            try:
                yield workers, OnWorker(function, software(), must_see) if self.address else function
            finally:
                workers.close()

    def refuse_what_cannot_be(self, num_workers: int) -> None:
        """Refuse an engine that is not installed, or one of this machine without workers.

        Raises
        ------
        ConfigError
            Says what to type.
        """
        if self.backend == "local":
            return
        package, name = EXTRAS[self.backend]
        if find_spec(package) is None:
            raise ConfigError(
                f"--backend {self.backend}: {name} is not installed; pip install 'ecgppg[{self.backend}]' brings it"
            )
        if not self.address and num_workers == 0:
            raise ConfigError(f"--backend {self.backend}: needs --num-workers of 1 or more")

    def check(self, num_workers: int) -> None:
        """Refuse at once what would fail after hours: besides the above, a cluster that does not answer.

        Raises
        ------
        ConfigError
            Names the address.
        """
        self.refuse_what_cannot_be(num_workers)
        if not self.address:
            return
        try:
            self._start(num_workers).close()
        except RunError as error:
            raise ConfigError(f"--{self.backend}-address {error}") from error

    def _start(self, num_workers: int) -> Workers:
        if self.backend == "dask":
            from ecgppg.core.dask_engine import DaskWorkers

            return DaskWorkers(self.address, num_workers, self.patience_s)
        if self.backend == "ray":
            from ecgppg.core.ray_engine import RayWorkers

            return RayWorkers(self.address, num_workers, self.patience_s)
        from ecgppg.core.local_engine import LocalWorkers

        return LocalWorkers(num_workers)

    @contextmanager
    def _witnesses(self) -> Iterator[tuple[str, ...]]:
        """Paths by which a worker elsewhere knows that it sees the same folders: an empty mount point has none."""
        if not self.address:
            yield ()
            return
        seen = [next((entry.path for entry in os.scandir(folder)), str(folder)) for folder in self.inputs]
        if self.output is None:
            yield tuple(seen)
            return
        self.output.mkdir(parents=True, exist_ok=True)
        token = self.output / f".seen-by-workers-{uuid.uuid4().hex}"
        token.touch()
        try:
            yield (*seen, str(token))
        finally:
            token.unlink(missing_ok=True)


LOCAL = Engine()


def chosen_engine(settings: Settings, output: Path) -> Engine:
    """The engine that the settings name.

    Parameters
    ----------
    settings : Settings
        `backend` and the address that goes with it.
    output : Path
        Folder that the jobs write into.
    """
    addresses = {"dask": settings.dask_address, "ray": settings.ray_address}
    inputs = (Path(settings.waveforms_dir),) if settings.waveforms_dir else ()
    return Engine(settings.backend, addresses.get(settings.backend), inputs, output)
