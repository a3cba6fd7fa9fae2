"""The process that talks to Ray: jobs come in through a pipe, and how they ended goes out."""

import logging
import os
import shutil
import tempfile
import time
from multiprocessing.connection import Connection
from typing import Any

from ecgppg.core.jobs import Landing
from ecgppg.core.local_engine import die_with_parent

MAX_RETRIES = 2
"""Ray runs a task whose worker died twice more before it says so: three attempts."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 2.0
SHUTDOWN_SECONDS = 20.0
STORE_BYTES = 80 * 1024 * 1024
"""The least that Ray's shared memory takes well; nothing of size is put there."""


def drive(pipe: Connection, address: str | None, num_workers: int, patience_s: float) -> None:
    """Serve the parent until it closes the pipe.

    Parameters
    ----------
    pipe : Connection
        Takes (ticket, function, job); gives (slots, why the cluster is lost or "", landings).
    address : str or None
        Cluster to join; None starts one on this machine.
    num_workers : int
        Workers of the one started here.
    patience_s : float
        How long there may be no processor.
    """
    # The end of the pipe tells of the parent's end and leaves time to end Ray too; this is for a Ray that hangs.
    die_with_parent(SHUTDOWN_SECONDS)
    _be_quiet()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    folder = None if address else tempfile.mkdtemp(prefix="ray_", dir=os.environ.get("RAY_TMPDIR", "/tmp"))
    try:
        import ray

        try:
            _start(address, num_workers, folder)
        except Exception as error:
            pipe.send((0, f"{address or 'ray'}: {str(error).splitlines()[0]}", ()))
            return
        try:
            _serve(pipe, patience_s)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        finally:
            ray.shutdown()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _be_quiet() -> None:
    """What Ray's own threads and libraries print would bury the messages of the run."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)


def _start(address: str | None, num_workers: int, folder: str | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address:
        ray.init(address=address, **quiet)
        return
    ray.init(
        address="local", num_cpus=num_workers, include_dashboard=False, object_store_memory=STORE_BYTES,
        _temp_dir=folder, _system_config={"task_oom_retries": MAX_RETRIES}, **quiet,
    )  # fmt: skip


def _serve(pipe: Connection, patience_s: float) -> None:
    import ray

    task = ray.remote(max_retries=MAX_RETRIES, num_cpus=1)(_call)
    flying: dict[Any, int] = {}
    n_slots, seen_s, looked_s = 0, time.monotonic(), -LOOK_SECONDS
    try:
        while True:
            now_s = time.monotonic()
            if now_s - looked_s >= LOOK_SECONDS:
                looked_s, before, n_slots = now_s, n_slots, int(ray.cluster_resources().get("CPU", 0))
                if n_slots:
                    seen_s = now_s
                elif now_s - seen_s > patience_s:
                    pipe.send((0, f"no processor for {patience_s:.0f} s", ()))
                    return
                if n_slots != before:
                    pipe.send((max(n_slots, 1), "", ()))
            while pipe.poll(0 if flying else POLL_SECONDS):
                ticket, function, job = pipe.recv()
                flying[task.remote(function, job)] = ticket
            if flying:
                ended, _ = ray.wait(list(flying), num_returns=1, timeout=POLL_SECONDS)
                if ended:
                    pipe.send((max(n_slots, 1), "", [_land(flying.pop(ref), ref) for ref in ended]))
    finally:
        for ref in flying:
            ray.cancel(ref, force=True)


def _land(ticket: int, ref: Any) -> Landing:
    import ray
    from ray import exceptions

    try:
        return Landing(ticket, ray.get(ref))
    except exceptions.RayTaskError as error:
        return Landing(ticket, None, error.cause if isinstance(error.cause, Exception) else error)
    except (
        exceptions.WorkerCrashedError,
        exceptions.OutOfMemoryError,
        exceptions.NodeDiedError,
        exceptions.ObjectLostError,
    ):
        return Landing(ticket, killed_workers=MAX_RETRIES + 1)


def _call(function: Any, job: Any) -> Any:
    return function(job)
