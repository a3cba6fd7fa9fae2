"""ADC codes out of the bytes of a signal file.

Decoded here are the three formats that MIMIC's waveforms are stored in (80, 16, 212) and those that are as plain
(61, 160, 32). The other formats of WFDB are read through the `wfdb` package (`reader.py`).

Codes come in the narrowest type that holds them, int8 for format 80; in every type its least value says that a sample
is missing, so that nothing need be copied to mark it.
"""

import numpy as np

MISSING = -(2**31)
"""Code of a missing sample in int32, whatever the format stored for it."""

BITS_PER_SAMPLE = {"80": 8, "16": 16, "61": 16, "160": 16, "32": 32, "212": 12}
"""Formats decoded here."""

MISSING_CODE = {
    "80": -(2**7), "508": -(2**7), "310": -(2**9), "311": -(2**9), "212": -(2**11), "16": -(2**15), "61": -(2**15),
    "160": -(2**15), "516": -(2**15), "24": -(2**23), "524": -(2**23), "32": MISSING, "8": MISSING,
}  # fmt: skip
"""Format -> the code by which it says that a sample is missing (format 8 has none of its own)."""

_LEAST = {np.dtype(kind): int(np.iinfo(kind).min) for kind in (np.int8, np.int16, np.int32)}


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


def missing_in(codes: np.ndarray) -> int:
    """The value that says "missing" in an array of codes: the least of its type."""
    return _LEAST[codes.dtype]


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
        One-dimensional, int8 (format 80), int32 (32) or int16; `missing_in` marks missing samples. It may be a
        read-only view of `stored`.
    """
    n = samples_in(fmt, len(stored))
    if fmt == "80":
        # Offset binary is two's complement with the highest bit turned.
        return np.bitwise_xor(np.frombuffer(stored, np.uint8, n), np.uint8(0x80)).view(np.int8)
    if fmt == "16":
        return np.frombuffer(stored, "<i2", n)
    if fmt == "212":
        return _decode_212(stored, n)
    if fmt == "61":
        return np.frombuffer(stored, ">i2", n).astype(np.int16)
    if fmt == "160":
        return np.bitwise_xor(np.frombuffer(stored, "<u2", n), np.uint16(0x8000)).view(np.int16)
    return np.frombuffer(stored, "<i4", n)


def to_int32(codes: np.ndarray) -> np.ndarray:
    """Codes in int32, missing ones as `MISSING`; always a copy, in one piece of memory."""
    wide = np.array(codes, dtype=np.int32, order="C")
    if codes.dtype != np.int32:
        absent = wide == missing_in(codes)
        if absent.any():
            wide[absent] = MISSING
    return wide


def _decode_212(stored: bytes, n: int) -> np.ndarray:
    # Imported here: compiling takes its time, and planning decodes nothing.
    from ecgppg.waveform.pairs_212 import unpack_pairs

    n_pairs = -(-n // 2)
    padded = stored if len(stored) >= 3 * n_pairs else stored + bytes(3 * n_pairs - len(stored))
    codes = np.empty(2 * n_pairs, np.int16)
    unpack_pairs(np.frombuffer(padded, np.uint8), codes)
    return codes[:n]
