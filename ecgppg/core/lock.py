"""One process at a time in a folder: a lock that ends with its process, however that ends."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgppg.config.errors import RefusedError

NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
"""What file systems say that cannot lock a folder; work there goes on without."""


@contextmanager
def only_one(folder: Path, work: str) -> Iterator[None]:
    """Hold a lock on a folder while the block runs.

    Parameters
    ----------
    folder : Path
        Is there; nothing is written into it.
    work : str
        What is going on, for the one who comes second.

    Raises
    ------
    RefusedError
        Another process holds the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"{folder}: another {work} is at work there; wait for its end, or stop it") from None
        except OSError as error:
            if error.errno not in NO_LOCKS_HERE:
                raise
        yield
    finally:
        os.close(descriptor)
