"""Bytes from one file into another without passing through this process, where the system can do that."""

import errno
import os

BYTES_AT_ONCE = 2**24
_CANNOT = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


def copy_range(source: int, target: int, n_bytes: int, at_source: int, at_target: int) -> None:
    """Copy bytes between two open files.

    Parameters
    ----------
    source, target : int
        Descriptors; where they stand does not matter and does not change.
    n_bytes, at_source, at_target : int
        How many, from where, to where.

    Raises
    ------
    EOFError
        If the source ends before.
    """
    by_kernel = hasattr(os, "copy_file_range")
    while n_bytes:
        if by_kernel:
            try:
                n = os.copy_file_range(source, target, n_bytes, at_source, at_target)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                by_kernel = False
                continue
        else:
            n = os.pwrite(target, os.pread(source, min(n_bytes, BYTES_AT_ONCE), at_source), at_target)
        if not n:
            raise EOFError
        n_bytes, at_source, at_target = n_bytes - n, at_source + n, at_target + n
