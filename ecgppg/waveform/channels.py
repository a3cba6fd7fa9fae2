"""Which of a record's signals is the ECG and which the PPG, by name, in any case."""

import re
from collections.abc import Sequence
from functools import lru_cache

# In order of preference: II is the monitor's rhythm lead; then whatever shows beats best.
_PREFERENCE = {
    "ECG": (
        "II", "MLII", "I", "III", r"V\d?", r"MCL\d?", "AVR", "AVL", "AVF", "ML(I|III)", "ECG.*",
    ),
    "PPG": ("PLETH", "PPG", "(PLETH|PPG).*"),
}  # fmt: skip
_PATTERNS = {channel: [re.compile(name) for name in names] for channel, names in _PREFERENCE.items()}
_UNRANKED = 99
_PREFIX = re.compile(r"(?:(?:ECG|LEAD)[ _-]+)+")


def pick_channels(sig_names: Sequence[str], channels: Sequence[str] = ("ECG", "PPG")) -> dict[str, int]:
    """Index of the signal that serves each channel.

    Parameters
    ----------
    sig_names : sequence of str
        Signal names as the header has them.
    channels : sequence of str
        Channels wanted, of "ECG" and "PPG".

    Returns
    -------
    dict
        {channel: index}; a channel that no signal serves is absent. Among names of one rank (V1, V5) the first in
        alphabetical order wins, so that an order that changes between segments changes nothing.
    """
    return dict(_pick(tuple(sig_names), tuple(channels)))


@lru_cache(maxsize=4096)
def _pick(sig_names: tuple[str, ...], channels: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    picked = []
    for channel in channels:
        ranked = [(_rank(channel, name), name.strip().upper(), index) for index, name in enumerate(sig_names)]
        best = min(ranked, default=(_UNRANKED, "", -1))
        if best[0] < _UNRANKED:
            picked.append((channel, best[2]))
    return tuple(picked)


def _rank(channel: str, sig_name: str) -> int:
    """Place in the order of preference, with or without a leading "ECG " or "lead "; `_UNRANKED` if in none."""
    name = sig_name.strip().upper()
    spellings = (_PREFIX.sub("", name, count=1), name)
    ranks = (rank for rank, pattern in enumerate(_PATTERNS[channel]) if any(map(pattern.fullmatch, spellings)))
    return next(ranks, _UNRANKED)
