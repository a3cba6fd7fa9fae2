"""A segment as bytes: int16 with a step of its own, byte-shuffled, deflated.

The bytes are what HDF5's own shuffle + gzip filters would have written, so any HDF5 tool reads them; the fast
deflate of Intel ISA-L makes them and undoes them, see `store.packing`.

Shapes: N segments, C channels, T samples.
"""

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError

from ecgppg.core.compiled import compiled
from ecgppg.core.greatest import greatest_size
from ecgppg.store.packing import leading_noise, packed

FULL_SCALE = 32767


def quantize(x_NCT: np.ndarray, source_step_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Physical values as int16 codes and the step that turns them back.

    Parameters
    ----------
    x_NCT : array of float
        Physical values, finite; taken as float32.
    source_step_NC : array of float
        What one ADC code of the source is worth, in the same unit; 0 where unknown or the channel is absent.

    Returns
    -------
    signals_NCT : array of int16
        Codes: ``x`` is ``signals * scale`` within half a step.
    scale_NC : array of float32
        ``max(max|x| / 32767, source_step / 4)``: finer than the source where that fits 16 bits. 0 where the channel
        is absent (all zeros and no source step).

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    if x_NCT.shape[:2] != source_step_NC.shape:
        raise ValueError(f"source steps of shape {source_step_NC.shape} for signals of shape {x_NCT.shape}")
    signals_NCT, scale_NC = np.empty(x_NCT.shape, np.int16), np.empty(x_NCT.shape[:2], np.float32)
    step_NC = np.asarray(source_step_NC, np.float64)
    x_NCT = np.ascontiguousarray(x_NCT, np.float32)
    if not np.isfinite(step_NC).all() or not _quantize(x_NCT, step_NC, signals_NCT, scale_NC):
        raise ValueError("a segment holds values that are not finite")
    return signals_NCT, scale_NC


def encode_segments(signals_NCT: np.ndarray) -> list[bytes]:
    """Segments as the bytes of their HDF5 chunks: each byte-shuffled and deflated in a zlib container.

    Parameters
    ----------
    signals_NCT : array of int16

    Returns
    -------
    list of bytes
        One for each segment.
    """
    codes = np.ascontiguousarray(signals_NCT, dtype="<i2")
    n, c, t = codes.shape
    planes = np.empty((n, 2, c * t), np.uint8)
    if planes.size:
        _shuffle(codes.reshape(n, -1), planes)
    # Of the low bytes; high ones are no noise.
    n_stored_N = leading_noise(planes[:, 0].reshape(n, c, t)).tolist()
    return [
        packed(planes_V, n_stored) for planes_V, n_stored in zip(planes.reshape(n, 2 * c * t), n_stored_N, strict=True)
    ]


def encode_segment(codes_CT: np.ndarray) -> bytes:
    """`encode_segments` of one segment."""
    return encode_segments(codes_CT[None])[0]


def decode_planes(chunk: bytes | memoryview, n_values: int) -> bytes:
    """Inflate one chunk to its two byte planes, never to more than the declared size.

    Parameters
    ----------
    chunk : bytes or memoryview
        As stored.
    n_values : int
        Values of the segment, channels times samples.

    Returns
    -------
    bytes
        The low bytes of all values, then the high bytes.

    Raises
    ------
    ValueError
        If the bytes are not a whole deflate stream of exactly the declared size.
    """
    inflater = isal_zlib.decompressobj()
    try:
        planes = inflater.decompress(chunk, 2 * n_values + 1)
    except IsalError as error:  # type: ignore[misc]  # isal's stub calls its exception class an instance
        raise ValueError(f"undecodable chunk: {error}") from None
    if len(planes) != 2 * n_values or not inflater.eof:
        raise ValueError("undecodable chunk: its length is not that of a segment")
    return planes


def unshuffle(planes: bytes | bytearray, n_segments: int, shape_CT: tuple[int, int]) -> np.ndarray:
    """Values of several segments whose byte planes lie one after the other, int16 of shape (n, C, T)."""
    pairs = np.frombuffer(planes, np.uint8).reshape(n_segments, 2, shape_CT[0] * shape_CT[1])
    values = np.empty((n_segments, pairs.shape[2]), "<i2")
    as_bytes = values.view(np.uint8).reshape(n_segments, pairs.shape[2], 2)
    as_bytes[:, :, 0], as_bytes[:, :, 1] = pairs[:, 0], pairs[:, 1]
    return values.reshape(n_segments, *shape_CT)


def unshuffle_into(planes: bytes, place_n: np.ndarray, scale_nC: np.ndarray, out_NCT: np.ndarray) -> None:
    """Physical values of several segments, each into its place of a larger array; holds no lock of the interpreter.

    Parameters
    ----------
    planes : bytes
        Byte planes of n segments, one after the other.
    place_n : array of int64
        Where in `out_NCT` each goes, and its step in `scale_nC`.
    scale_nC : array of float32
        As many rows as `out_NCT`.
    out_NCT : array of float32
        Codes times steps, the same bits as numpy's product.
    """
    _, c, t = out_NCT.shape
    _unshuffle_into(np.frombuffer(planes, np.uint8).reshape(-1, 2, c, t), place_n, scale_nC, out_NCT)


def decode_segment(chunk: bytes, n_channels: int, n_samples: int) -> np.ndarray:
    """Inverse of `encode_segment`: int16 of shape (C, T); ValueError if the bytes are damaged."""
    return unshuffle(decode_planes(chunk, n_channels * n_samples), 1, (n_channels, n_samples))[0]


@compiled
def _quantize(x_NCT: np.ndarray, step_NC: np.ndarray, signals_NCT: np.ndarray, scale_NC: np.ndarray) -> bool:
    """Fill in codes and steps; whether all values were finite."""
    n, n_channels, n_samples = x_NCT.shape
    for i in range(n):
        for c in range(n_channels):
            x_T, code_T = x_NCT[i, c], signals_NCT[i, c]
            # By their bits, numbers that are not finite are greater than all others.
            greatest = np.float64(greatest_size(x_T))
            if not np.isfinite(greatest):
                return False
            scale_NC[i, c] = max(greatest / FULL_SCALE, step_NC[i, c] / 4)
            scale = np.float64(scale_NC[i, c])
            per_step = 1.0 / scale if scale > 0 else 0.0
            for t in range(n_samples):
                code_T[t] = np.int16(np.int32(np.rint(x_T[t] * per_step)))
    return True


@compiled
def _shuffle(codes_NV: np.ndarray, planes: np.ndarray) -> None:
    """All low bytes of a segment, then all high bytes."""
    for i in range(len(codes_NV)):
        codes_V, low_V, high_V = codes_NV[i].view(np.uint16), planes[i, 0], planes[i, 1]
        for v in range(len(codes_V)):
            low_V[v] = np.uint8(codes_V[v])
        for v in range(len(codes_V)):
            high_V[v] = np.uint8(codes_V[v] >> np.uint16(8))


@compiled
def _unshuffle_into(planes_nBCT: np.ndarray, place_n: np.ndarray, scale_NC: np.ndarray, out_NCT: np.ndarray) -> None:
    for i in range(len(place_n)):
        place = place_n[i]
        for c in range(out_NCT.shape[1]):
            low_T, high_T, out_T, scale = (
                planes_nBCT[i, 0, c],
                planes_nBCT[i, 1, c],
                out_NCT[place, c],
                scale_NC[place, c],
            )
            for t in range(len(out_T)):
                out_T[t] = np.float32(np.int16(np.uint16(low_T[t]) | np.uint16(high_T[t]) << np.uint16(8))) * scale
