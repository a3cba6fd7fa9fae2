"""SHA-256 side by side is SHA-256."""

import hashlib

import numpy as np
import pytest

from ecgppg.store.sha256 import sha256_of_each


@pytest.mark.parametrize("n_bytes", [0, 1, 4, 7, 52, 55, 56, 60, 64, 120, 128, 5000])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 40])
def test_digests_are_those_of_hashlib(n: int, n_bytes: int) -> None:
    messages_NB = np.random.default_rng(n_bytes).integers(0, 256, (n, n_bytes), dtype=np.uint8)
    digests = sha256_of_each(messages_NB)
    assert [digest.tobytes() for digest in digests] == [hashlib.sha256(row).digest() for row in messages_NB]
