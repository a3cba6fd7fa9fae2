"""Stable hashes: the same number for the same things on every machine, for identifiers and random choices."""

import hashlib
from collections.abc import Iterable


def hash63(*parts: object) -> int:
    """63 bits of blake2b over the parts, never negative.

    Parameters
    ----------
    *parts : object
        Joined by NUL after `str()`.
    """
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def segment_ids(source: str, record: str, start_samples: Iterable[int]) -> list[int]:
    """`segment_id` of many segments of one record."""
    begun = hashlib.blake2b("\0".join(("segment", source, record, "")).encode(), digest_size=8)
    ids = []
    for start_sample in start_samples:
        whole = begun.copy()
        whole.update(b"%d" % start_sample)
        ids.append(int.from_bytes(whole.digest(), "big") >> 1)
    return ids


def hash_unit(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts and on nothing else."""
    return (hash63(*parts) >> 10) / 2.0**53


def segment_id(source: str, record: str, start_sample: int) -> int:
    """Identifier of a segment: a hash of source, record and its first sample in the record's own rate."""
    return hash63("segment", source, record, start_sample)


def subject_id_of(subject: str) -> int:
    """Identifier of a subject that has a name and no number."""
    return hash63("subject", subject)
