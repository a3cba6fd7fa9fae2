"""Stretches of files copied into another in a thread of its own, while the caller does something else."""

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ecgppg.config.errors import RunError
from ecgppg.core.copy_range import copy_range

MOST_WAITING = 16
"""Each holds a descriptor, of which a process may have some hundreds."""


class BackgroundCopies:
    """Copies in the order in which they are asked for.

    Parameters
    ----------
    target : int
        Descriptor of the file that is written.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: deque[tuple[Future[None], int]] = deque()

    def add(self, path: Path, source: int, stretches: list[tuple[int, int, int]]) -> None:
        """Ask for some stretches of a file.

        Parameters
        ----------
        path : Path
            Its name, for messages.
        source : int
            Its descriptor, which may be closed at once.
        stretches : list of (int, int, int)
            Bytes, where they begin, and where they go.

        Raises
        ------
        RunError, OSError
            An earlier copy failed.
        """
        while len(self._waiting) >= MOST_WAITING:
            self._wait()
        own = os.dup(source)
        self._waiting.append((self._thread.submit(self._copy, path, own, stretches), own))

    def finish(self) -> None:
        """Wait for all.

        Raises
        ------
        RunError, OSError
            A copy failed.
        """
        while self._waiting:
            self._wait()

    def close(self) -> None:
        """Give up what has not begun, and end the thread."""
        for copy, source in self._waiting:
            if copy.cancel():
                os.close(source)
        self._thread.shutdown()

    def _wait(self) -> None:
        copy, _ = self._waiting.popleft()
        copy.result()

    def _copy(self, path: Path, source: int, stretches: list[tuple[int, int, int]]) -> None:
        try:
            for n_bytes, at_source, at_target in stretches:
                copy_range(source, self._target, n_bytes, at_source, at_target)
                if hasattr(os, "posix_fadvise"):
                    # Has the disk begin now, and not when the file is closed; what is not written yet is not dropped.
                    os.posix_fadvise(self._target, at_target, n_bytes, os.POSIX_FADV_DONTNEED)
        except EOFError:
            raise RunError(f"merge: {path} ends before its last segment") from None
        finally:
            os.close(source)
