"""Whether a file was opened by anyone, C libraries included, and a limit on memory: Linux's own means."""

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_OPEN = 0x20


@contextmanager
def unopened(path: Path) -> Iterator[None]:
    """Fail if the file is opened in the block, by whatever library."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) >= 0, os.strerror(ctypes.get_errno())
        yield
        try:
            seen = os.read(watch, 4096)
        except BlockingIOError:
            seen = b""
        assert not seen, f"{path} was opened"
    finally:
        os.close(watch)


@contextmanager
def little_memory(n_bytes: int) -> Iterator[None]:
    """Allocations beyond what the process holds now, and `n_bytes`, fail with MemoryError in the block."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
