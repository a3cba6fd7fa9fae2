"""Small fits hold one thread of BLAS while they run, and give the others back."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ecgppg.core.blas_threads import one_blas_thread
from ecgppg.evaluation import probes


def threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_inside_and_as_many_as_before_after() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_blas_thread():
            assert threads() == {1}
        assert threads() == before


def test_a_probe_fits_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    fit = probes.logistic_path

    def watched(*arguments: np.ndarray) -> object:
        seen.append(threads())
        return fit(*arguments)

    monkeypatch.setattr(probes, "logistic_path", watched)
    rng = np.random.default_rng(0)
    x_ND, y_N = rng.normal(size=(40, 5)), np.arange(40) % 2
    with threadpool_limits(2, user_api="blas"):
        probes.linear_probe(x_ND, y_N, np.arange(40), x_ND, 0)
    assert seen
    assert set.union(*seen) == {1}
