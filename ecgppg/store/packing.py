"""Byte planes of a segment as one zlib stream [1]_: noise is stored as it is, and the rest is deflated.

The low bytes of a filtered signal are noise. A Huffman code makes them no smaller, and takes as long to write and to
read as everything else in the segment; a stored block of the same stream [2]_ is copied.

References
----------
.. [1] RFC 1950, ZLIB Compressed Data Format Specification version 3.3.
.. [2] RFC 1951, DEFLATE Compressed Data Format Specification version 1.3, section 3.2.4.
"""

import struct

import numpy as np
from isal import isal_zlib

from ecgppg.core.compiled import compiled

DEFLATE_LEVEL = 0
"""ISA-L's fastest, measured on filtered ECG + PPG: level 1 takes twice as long to make files a tenth smaller."""
HEADER = b"\x78\x01"
RAW = -15
"""No header and no checksum of its own, as zlib counts windows."""
LONGEST_STORED = 65_535
SAMPLED = 4
"""One of so many bytes is looked at."""
NOISE = 1 / 32
"""Bytes of which no more pairs than this share are equal count as noise. Such a pair needs five bits a byte; measured,
ISA-L's fastest begins to make bytes smaller between four and five."""


def packed(planes_V: np.ndarray, n_stored: int) -> bytes:
    """A zlib stream of some bytes, the first of them in a stored block.

    Parameters
    ----------
    planes_V : array of uint8
    n_stored : int
        At most `LONGEST_STORED`, and fewer than there are.
    """
    if n_stored == 0:
        return isal_zlib.compress(planes_V, DEFLATE_LEVEL)
    deflated = isal_zlib.compress(planes_V[n_stored:], DEFLATE_LEVEL, RAW)
    length = struct.pack("<BHH", 0, n_stored, n_stored ^ 0xFFFF)
    checksum = struct.pack(">I", isal_zlib.adler32(planes_V))
    return b"".join((HEADER, length, planes_V[:n_stored].data, deflated, checksum))


@compiled
def leading_noise(planes_NCT: np.ndarray) -> np.ndarray:
    """How many bytes of each row of planes, from the first on, are planes of noise.

    Parameters
    ----------
    planes_NCT : array of uint8
        C planes of T bytes.

    Returns
    -------
    array of int64, shape (N,)
        A multiple of T.
    """
    n, n_planes, n_bytes = planes_NCT.shape
    out_N = np.zeros(n, np.int64)
    most = LONGEST_STORED // n_bytes if n_bytes > 0 else 0
    count = np.empty(256, np.int64)
    for i in range(n):
        for c in range(min(n_planes, most)):
            count[:] = 0
            plane_T = planes_NCT[i, c]
            sampled = 0
            for t in range(0, n_bytes, SAMPLED):
                count[plane_T[t]] += 1
                sampled += 1
            pairs = 0
            for value in range(256):
                pairs += count[value] * (count[value] - 1)
            if sampled < 2 or pairs > NOISE * sampled * (sampled - 1):
                break
            out_N[i] += n_bytes
    return out_N
