"""Chunks laid behind the end of a new HDF5 file as they are made, before HDF5 is told how many they are."""

import os
from collections.abc import Sequence

import h5py


class LaidChunks:
    """Chunks in one stretch, each behind the one before. HDF5 is not to write to the file meanwhile.

    Parameters
    ----------
    file : h5py.File
        New and open for writing.

    Attributes
    ----------
    begin : int
        Where the first lies: the end of the file as HDF5 knows it.
    sizes : list of int
        Bytes of each.
    first : bytes
        The first chunk.
    """

    def __init__(self, file: h5py.File) -> None:
        self.begin = int(file.id.get_filesize())
        self._path = file.filename
        self._descriptor = os.open(self._path, os.O_WRONLY)
        self.drop_all()

    def drop_all(self) -> None:
        """Forget what was laid; what comes next lies over it."""
        self.sizes: list[int] = []
        self.first = b""
        self._at = self.begin

    def add(self, chunks: Sequence[bytes]) -> None:
        """Lay the next chunks."""
        if chunks and not self.sizes:
            self.first = chunks[0]
        left = memoryview(b"".join(chunks))
        try:
            while left:
                n = os.pwrite(self._descriptor, left, self._at)
                left, self._at = left[n:], self._at + n
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None
        self.sizes += map(len, chunks)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
