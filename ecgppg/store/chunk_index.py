"""Where an HDF5 file keeps the chunk of each segment: the index of `/signals`, read and written many entries at a time.

HDF5 hands chunks out and takes them in one by one, at 15 microseconds each; with the index at hand a patient's chunks
are one stretch of bytes that the kernel copies. The layout is that of the HDF5 File Format Specification 3.0: object
header version 2, data layout message version 4 with a fixed array, its header and its (paged) data block version 0 with
entries of filtered chunks (address, size, filter mask), every piece followed by its lookup3 checksum.
"""

import os
import struct
from pathlib import Path

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.core.compiled import compiled

LAYOUT_MESSAGE, CHUNKED, FIXED_ARRAY, FILTERED = 8, 2, 3, 1
PAGE_ROWS = 1024
"""Entries of a page, as HDF5 makes them if it is not told otherwise."""


class ChunkIndex:
    """The fixed array of one dataset of more than one segment.

    Parameters
    ----------
    path : Path
        The file, for messages.
    descriptor : int
        The same file, open; for writing, where entries are to be written.
    signals : h5py.Dataset
        Its `/signals`; what HDF5 has not written yet is not seen.

    Raises
    ------
    RunError
        If the index is of another kind.
    """

    def __init__(self, path: Path, descriptor: int, signals: h5py.Dataset) -> None:
        self.path, self.descriptor = path, descriptor
        try:
            self._read_headers(h5py.h5o.get_info(signals.id).addr)
        except (struct.error, IndexError):
            raise RunError(f"merge: {path}: the index of /signals cannot be read") from None

    def _read_headers(self, object_address: int) -> None:
        address = _fixed_array_address(self._bytes(object_address, 2048))
        header = self._bytes(address, 28) if address is not None else b""
        if header[:4] != b"FAHD" or header[4:6] != bytes([0, FILTERED]):
            raise RunError(f"merge: {self.path}: /signals has no index of the kind that this program writes")
        self._entry_bytes, page_bits, self.n_rows, self._block = struct.unpack_from("<BBQQ", header, 6)
        if 1 << page_bits != PAGE_ROWS:
            raise RunError(f"merge: {self.path}: the index of /signals has pages of {1 << page_bits} entries")
        self._n_pages = -(-self.n_rows // PAGE_ROWS) if self.n_rows > PAGE_ROWS else 0
        self._bitmap_bytes = -(-self._n_pages // 8)
        self._header_address = address
        self._dtype = np.dtype(
            [("offset", "<u8"), ("size", "u1", (self._entry_bytes - 12,)), ("mask", "<u4")]
        )  # fmt: skip
        # Entries that are not paged lie before the checksum of the block, pages behind it.
        self._entries_at = self._block + 14 + self._bitmap_bytes + (4 if self._n_pages else 0)

    def _bytes(self, offset: int, n: int) -> bytes:
        return os.pread(self.descriptor, n, offset)

    def read(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """(offset, size) of the chunks of some rows, int64.

        Raises
        ------
        RunError
            If a chunk is absent, unfiltered or outside the file.
        """
        entries = self._read_entries(rows)
        sizes = np.zeros((len(entries), 8), np.uint8)
        sizes[:, : self._entry_bytes - 12] = entries["size"]
        offset, size = entries["offset"].astype(np.int64), sizes.view("<i8").ravel()
        n_bytes = os.fstat(self.descriptor).st_size
        if len(entries) != rows.stop - rows.start:
            raise RunError(f"merge: {self.path} ends before its index of /signals")
        if entries["mask"].any() or (offset <= 0).any() or (size <= 0).any() or (offset + size > n_bytes).any():
            raise RunError(f"merge: {self.path}: a segment is absent, unfiltered or outside the file")
        return offset, size

    def _read_entries(self, rows: slice) -> np.ndarray:
        first, n = rows.start, rows.stop - rows.start
        if not self._n_pages:
            stored = self._bytes(self._entries_at + first * self._entry_bytes, n * self._entry_bytes)
            return np.frombuffer(stored, self._dtype)
        pages = range(first // PAGE_ROWS, -(-rows.stop // PAGE_ROWS))
        begin, end = self._page_at(pages[0]), self._page_at(pages[-1]) + PAGE_ROWS * self._entry_bytes
        stored = self._bytes(begin, end - begin)
        stored += bytes(end - begin - len(stored))
        page_bytes = PAGE_ROWS * self._entry_bytes
        cut = [stored[at : at + page_bytes] for at in range(0, len(stored), page_bytes + 4)]
        skipped = first - pages[0] * PAGE_ROWS
        return np.frombuffer(b"".join(cut), self._dtype)[skipped : skipped + n]

    def _page_at(self, page: int) -> int:
        return self._entries_at + page * (PAGE_ROWS * self._entry_bytes + 4)

    def entries(self, offset: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Entries of chunks at these places."""
        entries = np.zeros(len(offset), self._dtype)
        entries["offset"] = offset
        entries["size"] = size.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : self._entry_bytes - 12]
        return entries

    def write(self, first: int, entries: np.ndarray) -> None:
        """Write the entries of rows from `first`: whole pages, but for the last of the dataset."""
        if not self._n_pages:
            assert (first, len(entries)) == (0, self.n_rows)
            block = self._prefix() + entries.tobytes()
            self._put(self._block, block + _checksums(np.frombuffer(block, np.uint8)[None])[0].tobytes())
            return
        n_whole = len(entries) // PAGE_ROWS
        assert first % PAGE_ROWS == 0
        assert first + len(entries) == self.n_rows or len(entries) == n_whole * PAGE_ROWS
        whole, rest = entries[: n_whole * PAGE_ROWS], entries[n_whole * PAGE_ROWS :]
        if n_whole:
            stored = np.frombuffer(whole.tobytes(), np.uint8).reshape(n_whole, -1)
            sums = _checksums(stored).view(np.uint8).reshape(n_whole, 4)
            self._put(self._page_at(first // PAGE_ROWS), np.concatenate([stored, sums], axis=1).tobytes())
        if len(rest):
            stored = np.frombuffer(rest.tobytes(), np.uint8)
            page = first // PAGE_ROWS + n_whole
            self._put(self._page_at(page), stored.tobytes() + _checksums(stored[None]).tobytes())

    def finish(self) -> None:
        """Say that every page is there."""
        if self._n_pages:
            bits = np.zeros(8 * self._bitmap_bytes, bool)
            bits[: self._n_pages] = True
            prefix = self._prefix() + np.packbits(bits).tobytes()
            self._put(self._block, prefix + _checksums(np.frombuffer(prefix, np.uint8)[None])[0].tobytes())

    def _prefix(self) -> bytes:
        return b"FADB" + struct.pack("<BBQ", 0, FILTERED, self._header_address)

    def _put(self, offset: int, stored: bytes) -> None:
        while stored:
            n = os.pwrite(self.descriptor, stored, offset)
            stored, offset = stored[n:], offset + n


def _fixed_array_address(header: bytes) -> int | None:
    """Address of the fixed array, from the first piece of a dataset's object header; None if there is none."""
    if header[:5] != b"OHDR\x02":
        return None
    flags = header[5]
    at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    size_bytes = 1 << (flags & 3)
    end = at + size_bytes + int.from_bytes(header[at : at + size_bytes], "little")
    at += size_bytes
    while at + 4 <= end:
        kind, size = struct.unpack_from("<BH", header, at)
        at += 6 if flags & 4 else 4
        message = header[at : at + size]
        if kind == LAYOUT_MESSAGE and message[:2] == bytes([4, CHUNKED]):
            index_at = 5 + message[3] * message[4]
            is_fixed_array = message[index_at] == FIXED_ARRAY
            return struct.unpack_from("<Q", message, index_at + 2)[0] if is_fixed_array else None
        at += size
    return None


def _checksums(stored: np.ndarray) -> np.ndarray:
    """Bob Jenkins' lookup3 of every row of bytes, as HDF5 computes it: uint8 (n, length) to uint32 (n,)."""
    n, length = stored.shape
    padded = np.zeros((n, 12 * max(-(-length // 12), 1)), np.uint8)
    padded[:, :length] = stored
    return _lookup3(padded.view("<u4"), np.uint32((0xDEADBEEF + length) & 0xFFFFFFFF))


@compiled
def _lookup3(words_NW: np.ndarray, start: np.uint32) -> np.ndarray:
    """Three words are mixed at a time, the last three in another way."""
    sums_N = np.empty(len(words_NW), np.uint32)
    last = words_NW.shape[1] - 3
    for row in range(len(words_NW)):
        words = words_NW[row]
        a = b = c = start
        for i in range(0, last, 3):
            a, b, c = np.uint32(a + words[i]), np.uint32(b + words[i + 1]), np.uint32(c + words[i + 2])
            a, c = np.uint32(np.uint32(a - c) ^ _rotated(c, 4)), np.uint32(c + b)
            b, a = np.uint32(np.uint32(b - a) ^ _rotated(a, 6)), np.uint32(a + c)
            c, b = np.uint32(np.uint32(c - b) ^ _rotated(b, 8)), np.uint32(b + a)
            a, c = np.uint32(np.uint32(a - c) ^ _rotated(c, 16)), np.uint32(c + b)
            b, a = np.uint32(np.uint32(b - a) ^ _rotated(a, 19)), np.uint32(a + c)
            c, b = np.uint32(np.uint32(c - b) ^ _rotated(b, 4)), np.uint32(b + a)
        a, b, c = np.uint32(a + words[last]), np.uint32(b + words[last + 1]), np.uint32(c + words[last + 2])
        c = np.uint32(np.uint32(c ^ b) - _rotated(b, 14))
        a = np.uint32(np.uint32(a ^ c) - _rotated(c, 11))
        b = np.uint32(np.uint32(b ^ a) - _rotated(a, 25))
        c = np.uint32(np.uint32(c ^ b) - _rotated(b, 16))
        a = np.uint32(np.uint32(a ^ c) - _rotated(c, 4))
        b = np.uint32(np.uint32(b ^ a) - _rotated(a, 14))
        sums_N[row] = np.uint32(np.uint32(c ^ b) - _rotated(b, 24))
    return sums_N


@compiled
def _rotated(word: np.uint32, bits: int) -> np.uint32:
    return np.uint32(word << np.uint32(bits)) | np.uint32(word >> np.uint32(32 - bits))
