"""A segment through the codec and back."""

import struct
import zlib

import numpy as np
import pytest
from isal import isal_zlib

from ecgppg.store.codec import decode_segment, encode_segment, encode_segments, quantize, unshuffle


def test_round_trip_is_within_half_a_step() -> None:
    rng = np.random.default_rng(1)
    amplitude = 10.0 ** rng.uniform(-6, 6, (40, 2, 1))
    x_NCT = (rng.standard_normal((40, 2, 500)) * amplitude).astype(np.float32)
    source_step_NC = 10.0 ** rng.uniform(-8, 4, (40, 2))
    signals, scale = quantize(x_NCT, source_step_NC)
    step = scale.astype(np.float64)[..., None]
    # Codes are judged in float64: reading back in float32 adds that type's own rounding.
    assert (np.abs(signals * step - x_NCT) <= step / 2 * (1 + 1e-6)).all()
    expected = np.maximum(np.abs(x_NCT).max(axis=2) / 32767, source_step_NC / 4)
    np.testing.assert_allclose(scale, expected, rtol=1e-6)


def test_step_follows_the_source_or_the_range() -> None:
    x_NCT = np.zeros((3, 1, 10), np.float32)
    x_NCT[0, 0, 3], x_NCT[1, 0, 3] = 1.0, -1000.0
    signals, scale = quantize(x_NCT, np.array([[0.01], [0.01], [0.01]]))
    np.testing.assert_allclose(scale[:, 0], [0.0025, 1000 / 32767, 0.0025], rtol=1e-6)
    assert signals[0, 0, 3] == 400
    assert signals[1, 0, 3] == -32767


def test_absent_channel_has_scale_zero() -> None:
    signals, scale = quantize(np.zeros((2, 2, 10), np.float32), np.zeros((2, 2)))
    assert not signals.any()
    assert not scale.any()
    signals, scale = quantize(np.zeros((0, 2, 10), np.float32), np.zeros((0, 2)))
    assert signals.shape == (0, 2, 10)
    assert scale.shape == (0, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    x_NCT = np.zeros((40, 1, 10), np.float32)
    x_NCT[33, 0, 5] = bad
    with pytest.raises(ValueError, match="not finite"):
        quantize(x_NCT, np.ones((40, 1)))


def test_bytes_are_shuffled_and_zlib_undoes_them() -> None:
    codes = np.random.default_rng(2).integers(-32768, 32767, (2, 50), dtype=np.int16)
    planes = np.frombuffer(zlib.decompress(encode_segment(codes)), np.uint8).reshape(2, -1)
    np.testing.assert_array_equal(planes[0] + planes[1].astype(np.uint16) * 256, codes.ravel().view(np.uint16))
    np.testing.assert_array_equal(decode_segment(encode_segment(codes), 2, 50), codes)
    both = zlib.decompress(encode_segment(codes)) + zlib.decompress(encode_segment(codes[::-1]))
    np.testing.assert_array_equal(unshuffle(both, 2, (2, 50)), np.stack([codes, codes[::-1]]))


def test_damaged_bytes_are_errors_and_never_more_than_a_segment() -> None:
    chunk = encode_segment(np.arange(100, dtype=np.int16).reshape(2, 50))
    bomb = zlib.compress(bytes(10_000_000))
    flipped = bytes([*chunk[:10], chunk[10] ^ 0xFF, *chunk[11:]])
    for damaged in (b"", chunk[:-5], bomb, flipped, encode_segment(np.zeros((2, 49), np.int16))):
        with pytest.raises(ValueError, match="undecodable"):
            decode_segment(damaged, 2, 50)


def segments_of(low_bits: list[int], n_samples: int = 1250) -> np.ndarray:
    """(1, C, T): channels whose low bytes are evenly drawn from so many bits, and high bytes of two kinds."""
    rng = np.random.default_rng(3)
    low = np.stack([rng.integers(0, 1 << bits, n_samples) for bits in low_bits])
    return (low + 256 * rng.integers(0, 2, low.shape)).astype(np.int16)[None]


@pytest.mark.parametrize(
    ("low_bits", "stored"), [([8, 8], 2), ([8, 2], 1), ([2, 8], 0), ([6, 7], 2), ([0, 0], 0), ([8], 1), ([8, 0, 8], 1)]
)
def test_noise_is_stored_and_the_rest_deflated_in_one_stream(low_bits: list[int], stored: int) -> None:
    codes_1CT = segments_of(low_bits)
    chunk = encode_segments(codes_1CT)[0]
    low_and_high = codes_1CT.astype("<i2").view(np.uint8).reshape(-1, 2).T.tobytes()
    assert zlib.decompress(chunk) == low_and_high
    np.testing.assert_array_equal(decode_segment(chunk, *codes_1CT.shape[1:]), codes_1CT[0])
    first = low_and_high[: stored * 1250]
    assert (chunk[2:7] == struct.pack("<BHH", 0, len(first), len(first) ^ 0xFFFF)) == (stored > 0)
    if stored:
        assert chunk[7 : 7 + len(first)] == first
    assert len(chunk) <= len(isal_zlib.compress(low_and_high, 0))


def test_no_segments_are_no_bytes() -> None:
    assert encode_segments(np.empty((0, 2, 1250), np.int16)) == []


@pytest.mark.parametrize("n_samples", [0, 1, 3, 65_535, 65_536, 70_000])
def test_segments_of_any_length_are_packed(n_samples: int) -> None:
    codes_1CT = segments_of([8, 8], n_samples)
    chunk = encode_segments(codes_1CT)[0]
    np.testing.assert_array_equal(decode_segment(chunk, 2, n_samples), codes_1CT[0])
    assert len(zlib.decompress(chunk)) == 4 * n_samples


def test_a_flipped_bit_of_what_is_stored_is_an_error() -> None:
    chunk = bytearray(encode_segments(segments_of([8, 8]))[0])
    for at in (7, 700, 2500):
        damaged = bytes([*chunk[:at], chunk[at] ^ 1, *chunk[at + 1 :]])
        with pytest.raises(ValueError, match="undecodable"):
            decode_segment(damaged, 2, 1250)
