"""The kernels of one row against scipy and against plain loops."""

import numpy as np
import pytest
from scipy import ndimage

from ecgppg.core.greatest import greatest_size
from ecgppg.core.seeds import segment_id, segment_ids
from ecgppg.waveform.moving import median_of, moving_average, moving_maximum
from ecgppg.waveform.run_length import longest_run
from ecgppg.waveform.sums import dot, total, variance

LENGTHS = (1, 2, 3, 7, 64, 1250)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 75, 250, 301, 1300, 4000])
def test_moving_average_is_scipys(size: int) -> None:
    rng = np.random.default_rng(size)
    for n in LENGTHS:
        x_T, out_T = rng.standard_normal(n).astype(np.float32), np.empty(n, np.float32)
        moving_average(x_T, size, out_T)
        np.testing.assert_allclose(out_T, ndimage.uniform_filter1d(x_T.astype(float), size, mode="reflect"), atol=3e-6)


@pytest.mark.parametrize("reach", [0, 1, 2, 7, 8, 31, 150, 2000])
def test_moving_maximum_is_scipys(reach: int) -> None:
    rng = np.random.default_rng(reach)
    for n in LENGTHS:
        x_T, out_T = rng.random(n).astype(np.float32), np.empty(n, np.float32)
        moving_maximum(x_T, reach, out_T)
        expected = ndimage.maximum_filter1d(x_T, 2 * reach + 1, mode="constant", cval=0)
        np.testing.assert_array_equal(out_T, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_median_is_numpys(dtype: type) -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 90):
        for values in (rng.integers(0, 9, n).astype(dtype), rng.standard_normal(n).astype(dtype)):
            assert median_of(values.copy(), n) == np.median(values.astype(np.float64))
    assert np.isnan(median_of(np.empty(0, dtype), 0))


def test_longest_run_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    for n in (*range(1, 20), 100, 1250):
        for share in (0.0, 0.1, 0.5, 0.9, 0.99, 1.0):
            holds_T = (rng.random(n) < share).astype(np.uint8)
            assert longest_run(holds_T) == max(map(len, "".join(map(str, holds_T)).split("0")))


def test_sums_are_those_of_whole_numbers() -> None:
    rng = np.random.default_rng(0)
    for n in LENGTHS:
        x_T, y_T = (rng.integers(-1000, 1000, n).astype(np.float32) for _ in range(2))
        assert total(x_T) == x_T.astype(np.int64).sum()
        assert dot(x_T.astype(float), y_T.astype(float)) == (x_T.astype(np.int64) * y_T.astype(np.int64)).sum()
        np.testing.assert_allclose(variance(x_T), np.var(x_T.astype(np.float64)), rtol=1e-13, atol=1e-13)
        assert greatest_size(x_T) == np.abs(x_T).max()


def test_greatest_size_of_nothing_is_0() -> None:
    assert greatest_size(np.empty(0, np.float32)) == 0


def test_ids_of_many_segments_are_those_of_each() -> None:
    record = "p00/p000020/p000020-2183-04-28-17-47"
    assert segment_ids("mimic3", record, range(50)) == [segment_id("mimic3", record, start) for start in range(50)]
