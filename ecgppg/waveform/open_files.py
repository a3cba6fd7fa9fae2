"""Signal files kept open between reads: spans of a few files are read in turn, and opening costs as much as reading."""

import os
import stat
import threading
from collections import OrderedDict

from ecgppg.config.errors import DamagedRecord

MAX_OPEN_FILES = 64
"""Far below the usual limit of 1,024 a process."""


class OpenFiles:
    """Descriptors of the files read last; the one unused for longest is closed first.

    Reads name their own offset, so that a process forked meanwhile may share the descriptors; threads take turns, so
    that none closes what another reads.

    Parameters
    ----------
    limit : int
        Files held open at most.
    """

    def __init__(self, limit: int = MAX_OPEN_FILES) -> None:
        self.limit = limit
        self._descriptors: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._descriptors)

    def read(self, path: str, offset: int, n_bytes: int) -> bytes:
        """What a file holds of a span; less than asked for where it ends early.

        Parameters
        ----------
        path : str
            A regular file.
        offset, n_bytes : int
            The span. Nothing is allocated for bytes that the file does not have.

        Raises
        ------
        DamagedRecord
            missing_file or read_error.
        """
        try:
            with self._lock:
                descriptor, size = self._open(path)
                return os.pread(descriptor, max(min(n_bytes, size - offset), 0), offset)
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedRecord("missing_file", path) from None
        except OSError as error:
            raise DamagedRecord("read_error", path, error.strerror or "") from None

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            while self._descriptors:
                os.close(self._descriptors.popitem()[1])

    def _open(self, path: str) -> tuple[int, int]:
        """Descriptor and size; a file that was removed or replaced since is opened anew."""
        descriptor = self._descriptors.get(path)
        if descriptor is not None:
            status = os.fstat(descriptor)
            if status.st_nlink:
                self._descriptors.move_to_end(path)
                return descriptor, status.st_size
            os.close(self._descriptors.pop(path))
        # Without O_NONBLOCK a named pipe would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise DamagedRecord("read_error", path, "not a regular file")
        self._descriptors[path] = descriptor
        if len(self._descriptors) > self.limit:
            os.close(self._descriptors.popitem(last=False)[1])
        return descriptor, status.st_size


SIGNAL_FILES = OpenFiles()
"""Those of this process."""
