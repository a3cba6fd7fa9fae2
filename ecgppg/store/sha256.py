"""SHA-256 (FIPS 180-4) of many messages of one length, sixteen side by side.

A processor without instructions for SHA-256 hashes one message at a time, each step waiting for the one before. Beside
each other sixteen messages take a third of the time; the digests are those of `hashlib`.

Shapes: N messages, B bytes of each, L lanes (messages side by side).
"""

import hashlib

import numpy as np

from ecgppg.core.compiled import compiled

LANES = 16
BLOCK_WORDS, BLOCK_BYTES, ROUNDS, DIGEST_BYTES = 16, 64, 64, 32


def sha256_of_each(messages_NB: np.ndarray) -> np.ndarray:
    """SHA-256 of every row.

    Parameters
    ----------
    messages_NB : np.ndarray
        uint8 (N, B), in one piece of memory.

    Returns
    -------
    np.ndarray
        uint8 (N, 32).
    """
    n, n_bytes = messages_NB.shape
    digests = np.empty((n, DIGEST_BYTES), np.uint8)
    n_whole = n // LANES * LANES
    if n_whole and n_bytes % 4 == 0:
        words = messages_NB[:n_whole].reshape(n_whole, n_bytes).view("<u4")
        _sha256(words, _end_of(n_bytes), _FIRST, _ADDED, digests)
    else:
        n_whole = 0
    for row in range(n_whole, n):
        digests[row] = np.frombuffer(hashlib.sha256(messages_NB[row]).digest(), np.uint8)
    return digests


def _end_of(n_bytes: int) -> np.ndarray:
    """What stands after a message of whole words: a bit, zeros up to a whole block, the length in bits."""
    n_zeros = -(n_bytes + 12) % BLOCK_BYTES
    return np.frombuffer(b"\x80" + bytes(3 + n_zeros) + (8 * n_bytes).to_bytes(8, "big"), ">u4").astype(np.uint32)


def _fractions(root: float, count: int) -> np.ndarray:
    """First 32 bits of the fractions of the square or cube roots of the first primes, as the standard has them."""
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return np.array([_root_bits(prime, round(1 / root)) for prime in primes], np.uint32)


def _root_bits(prime: int, degree: int) -> int:
    """Whole part of the root of prime * 2 ** (32 * degree), exactly; its low 32 bits are the fraction's."""
    target, low, high = prime << (32 * degree), 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= target else (low, middle - 1)
    return low & 0xFFFFFFFF


_FIRST, _ADDED = _fractions(1 / 2, 8), _fractions(1 / 3, ROUNDS)


@compiled
def _sha256(words_NW: np.ndarray, end_W: np.ndarray, first: np.ndarray, added: np.ndarray, digests: np.ndarray) -> None:
    n, n_words = words_NW.shape
    n_blocks = (n_words + len(end_W)) // BLOCK_WORDS
    # Two histories make up the eight working variables: a, b, c, d are the last four of one, e, f, g, h of the other.
    a_L, e_L = np.empty((ROUNDS + 4) * LANES, np.uint32), np.empty((ROUNDS + 4) * LANES, np.uint32)
    schedule_L = np.empty(ROUNDS * LANES, np.uint32)
    added_L = np.empty(ROUNDS * LANES, np.uint32)
    state_L = np.empty(8 * LANES, np.uint32)
    for k in range(ROUNDS * LANES):
        added_L[k] = added[k // LANES]
    for start in range(0, n, LANES):
        for k in range(8 * LANES):
            state_L[k] = first[k // LANES]
        for block in range(n_blocks):
            _load(words_NW[start : start + LANES], end_W, block * BLOCK_WORDS, schedule_L)
            _extend(schedule_L)
            for v in range(4):
                for j in range(LANES):
                    a_L[(3 - v) * LANES + j] = state_L[v * LANES + j]
                    e_L[(3 - v) * LANES + j] = state_L[(4 + v) * LANES + j]
            _rounds(schedule_L, added_L, a_L, e_L)
            for v in range(4):
                for j in range(LANES):
                    state_L[v * LANES + j] += a_L[(ROUNDS + 3 - v) * LANES + j]
                    state_L[(4 + v) * LANES + j] += e_L[(ROUNDS + 3 - v) * LANES + j]
        for j in range(LANES):
            for v in range(8):
                word = state_L[v * LANES + j]
                for byte in range(4):
                    digests[start + j, 4 * v + byte] = (word >> np.uint32(24 - 8 * byte)) & np.uint32(0xFF)


@compiled
def _load(words_LW: np.ndarray, end_W: np.ndarray, first: int, schedule_L: np.ndarray) -> None:
    """One block of every message; words of a message are read with their first byte the highest."""
    n_words = words_LW.shape[1]
    n_here = min(max(n_words - first, 0), BLOCK_WORDS)
    for j in range(LANES):
        row = words_LW[j, first : first + n_here]
        for w in range(n_here):
            schedule_L[w * LANES + j] = row[w]
    for k in range(n_here * LANES):
        x = schedule_L[k]
        x = (
            (x << np.uint32(24))
            | ((x & np.uint32(0xFF00)) << np.uint32(8))
            | ((x >> np.uint32(8)) & np.uint32(0xFF00))
            | (x >> np.uint32(24))
        )
        schedule_L[k] = x
    for w in range(n_here, BLOCK_WORDS):
        for j in range(LANES):
            schedule_L[w * LANES + j] = end_W[first + w - n_words]


@compiled
def _extend(schedule_L: np.ndarray) -> None:
    w16, w15, w7, w2 = schedule_L, schedule_L[LANES:], schedule_L[9 * LANES :], schedule_L[14 * LANES :]
    now = schedule_L[16 * LANES :]
    for k in range((ROUNDS - 16) * LANES):
        x, y = w15[k], w2[k]
        low = _turned(x, 7) ^ _turned(x, 18) ^ (x >> np.uint32(3))
        high = _turned(y, 17) ^ _turned(y, 19) ^ (y >> np.uint32(10))
        now[k] = w16[k] + low + w7[k] + high


@compiled
def _rounds(schedule_L: np.ndarray, added_L: np.ndarray, a_L: np.ndarray, e_L: np.ndarray) -> None:
    """All rounds of a block; views a constant distance apart, as the compiler wants them to run lanes together."""
    d, c, b, a, a_now = a_L, a_L[LANES:], a_L[2 * LANES :], a_L[3 * LANES :], a_L[4 * LANES :]
    h, g, f, e, e_now = e_L, e_L[LANES:], e_L[2 * LANES :], e_L[3 * LANES :], e_L[4 * LANES :]
    for k in range(ROUNDS * LANES):
        x, y = e[k], a[k]
        mixed = _turned(x, 6) ^ _turned(x, 11) ^ _turned(x, 25)
        first = h[k] + mixed + ((x & f[k]) ^ (~x & g[k])) + added_L[k] + schedule_L[k]
        second = (_turned(y, 2) ^ _turned(y, 13) ^ _turned(y, 22)) + ((y & b[k]) ^ (y & c[k]) ^ (b[k] & c[k]))
        e_now[k] = d[k] + first
        a_now[k] = first + second


@compiled
def _turned(x: np.uint32, n: int) -> np.uint32:
    return np.uint32((x >> np.uint32(n)) | (x << np.uint32(32 - n)))
