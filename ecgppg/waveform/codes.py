"""ADC codes out of the bytes of a signal file.

Decoded here are the three formats that MIMIC's waveforms are stored in (80, 16, 212) and those that are as plain
(61, 160, 32). The other formats of WFDB are read through the `wfdb` package (`reader.py`).
"""

import numpy as np

MISSING = -(2**31)
"""Code of a missing sample, whatever the format stored for it."""

BITS_PER_SAMPLE = {"80": 8, "16": 16, "61": 16, "160": 16, "32": 32, "212": 12}
"""Formats decoded here."""

_STORED = {"80": "u1", "16": "<i2", "61": ">i2", "160": "<u2", "32": "<i4"}
_OFFSET = {"80": 2**7, "160": 2**15}

MISSING_CODE = {
    "80": -(2**7), "508": -(2**7), "310": -(2**9), "311": -(2**9), "212": -(2**11), "16": -(2**15), "61": -(2**15),
    "160": -(2**15), "516": -(2**15), "24": -(2**23), "524": -(2**23), "32": MISSING, "8": MISSING,
}  # fmt: skip
"""Format -> the code by which it says that a sample is missing (format 8 has none of its own)."""


def byte_span(fmt: str, first: int, n: int) -> tuple[int, int, int]:
    """Bytes that hold `n` consecutive samples of a signal file.

    Parameters
    ----------
    fmt : str
        One of `BITS_PER_SAMPLE`.
    first : int
        First sample, counted over all signals of the file.
    n : int
        Number of samples.

    Returns
    -------
    start, n_bytes, n_before : int
        Offset and length in bytes (less the header's byte offset), and samples to skip after decoding: a pair of
        format 212 shares three bytes, so an odd first sample is read with the one before it.
    """
    if fmt == "212":
        n_before = first % 2
        return (first - n_before) // 2 * 3, ((n + n_before) * 3 + 1) // 2, n_before
    width = BITS_PER_SAMPLE[fmt] // 8
    return first * width, n * width, 0


def samples_in(fmt: str, n_bytes: int) -> int:
    """Whole samples that `n_bytes` hold."""
    return max(n_bytes, 0) * 8 // BITS_PER_SAMPLE[fmt]


def decode(fmt: str, stored: bytes) -> np.ndarray:
    """Codes of consecutive samples.

    Parameters
    ----------
    fmt : str
        One of `BITS_PER_SAMPLE`.
    stored : bytes
        As `byte_span` names them; an incomplete last sample is left out.

    Returns
    -------
    np.ndarray
        One-dimensional, in the format's own type; `to_int32` makes the codes of it.
    """
    if fmt == "212":
        return _decode_212(np.frombuffer(stored, dtype=np.uint8))
    return np.frombuffer(stored, dtype=_STORED[fmt], count=samples_in(fmt, len(stored)))


def to_int32(fmt: str, codes: np.ndarray) -> np.ndarray:
    """Signed 32-bit codes of a slice of what `decode` gave, missing ones as `MISSING`."""
    signed = codes.astype(np.int32)
    signed -= _OFFSET.get(fmt, 0)
    signed[signed == MISSING_CODE[fmt]] = MISSING
    return signed


def _decode_212(stored: np.ndarray) -> np.ndarray:
    """Pairs of 12-bit two's complement samples in three bytes: low byte, both high nibbles, low byte."""
    n = len(stored) * 2 // 3
    padded = np.zeros(-(-len(stored) // 3) * 3, dtype=np.uint8)
    padded[: len(stored)] = stored
    low, nibbles, high = (column.astype(np.int16) for column in padded.reshape(-1, 3).T)
    codes = np.empty(2 * len(low), dtype=np.int16)
    codes[0::2] = low | (nibbles & 0x0F) << 8
    codes[1::2] = high | (nibbles & 0xF0) << 4
    return ((codes[:n] ^ 0x800) - 0x800).astype(np.int16)
