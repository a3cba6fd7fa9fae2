"""How the numeric kernels are compiled: once a machine, then loaded from numba's cache.

Floating-point rules stay strict, so that a window gets the same numbers on every processor and the content hash of a
dataset does not depend on which machine of a cluster built it. `compiled_extremes` loosens them for kernels that take
maxima only, which come out the same in any order.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

PACKAGE = Path(__file__).resolve().parent.parent


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function of numbers and arrays on its first call; it holds no lock of the interpreter."""
    return _compiled(function, False)


def compiled_extremes(function: Callable[..., Any]) -> Any:
    """The same for functions that take maxima of numbers, none of them NaN, and add nothing up."""
    return _compiled(function, {"nnan", "nsz"})


def _compiled(function: Callable[..., Any], fastmath: bool | set[str]) -> Any:
    # numba notices a change of the file that a function is in, and not of one whose functions it calls: the folder
    # of the cache depends on all of them. It is read when the function is decorated.
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, cache_folder()
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function)
    finally:
        config.CACHE_DIR = before


@cache
def cache_folder() -> str:
    """Where compiled kernels of this state of the source are kept: beside it, or in the user's own cache.

    Where NUMBA_CACHE_DIR names a folder, as on machines that share one, they are kept in it.
    """
    stamps = []
    for folder in ("core", "store", "waveform"):
        for path in sorted((PACKAGE / folder).glob("*.py")):
            status = path.stat()
            stamps.append(f"{folder}/{path.name} {status.st_mtime_ns} {status.st_size}")
    state = hashlib.blake2b("\n".join(stamps).encode(), digest_size=6).hexdigest()
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return str(Path(named) / f"ecgppg-kernels-{state}")
    beside = PACKAGE / "__pycache__"
    if os.access(beside if beside.exists() else PACKAGE, os.W_OK):
        return str(beside / f"kernels-{state}")
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(own) / "ecgppg" / f"kernels-{state}")
