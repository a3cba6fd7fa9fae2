"""ICD-9-CM codes as MIMIC-III writes them: text, upper case, the decimal point left out."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

_PATTERN = re.compile(r"(?P<stem>E\d{3}|V\d{2}|\d{3})(?:\.(?P<rest>[\dxX]{1,2}))?")
_PLAIN_STEM = re.compile(r"E\d{3}|V\d{2}|\d{3}")


def normalise(code: str) -> str:
    """A code without its decimal point, upper case.

    Parameters
    ----------
    code : str
        "43301", "433.01", " v12.54 ". The part before a point is filled with zeros to its full length (three
        characters, four for E codes), since a point shows that leading zeros may have been lost.

    Returns
    -------
    str
        "43301", "43301", "V1254".
    """
    code = code.strip().upper()
    if "." not in code:
        return code
    stem, _, rest = code.partition(".")
    letter, digits = (stem[:1], stem[1:]) if stem[:1] in ("E", "V") else ("", stem)
    return letter + digits.zfill(2 if letter == "V" else 3) + rest


def decimal(code: str) -> str:
    """A code with its decimal point: "43301" gives "433.01", "E8786" gives "E878.6", "V1254" gives "V12.54"."""
    code = normalise(code)
    stem = 4 if code.startswith("E") else 3
    return code if len(code) <= stem else f"{code[:stem]}.{code[stem:]}"


def compile_patterns(patterns: Iterable[str]) -> re.Pattern[str]:
    """One regular expression over normalised codes from a list of patterns.

    Parameters
    ----------
    patterns : iterable of str
        Each is one of
        - a code with its point, "427.31" or "436": that code and everything below it;
        - a code with wildcards, "433.x1": x is any one digit;
        - a range of stems, "430-438" or "V10-V19": every code below any of them.

    Raises
    ------
    ValueError
        A pattern is none of these; the message names it.
    """
    parts = [_one(pattern.strip().upper()) for pattern in patterns]
    if not parts:
        raise ValueError("holds no code")
    return re.compile("|".join(parts))


def _one(pattern: str) -> str:
    first, dash, last = pattern.partition("-")
    if dash:
        return _range(pattern, first, last)
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise ValueError(f"{pattern!r} is no ICD-9 code (write 433.x1, 427.31, V12.54 or 430-438)")
    return match["stem"] + (match["rest"] or "").replace("X", "[0-9]")


def _range(pattern: str, first: str, last: str) -> str:
    same_kind = _PLAIN_STEM.fullmatch(first) and _PLAIN_STEM.fullmatch(last) and len(first) == len(last)
    letter = first[0] if first[0] in "EV" else ""
    if not same_kind or not last.startswith(letter) or first > last:
        raise ValueError(f"{pattern!r} is no range of ICD-9 stems (write 430-438)")
    width = len(first) - len(letter)
    numbers = range(int(first[len(letter) :]), int(last[len(letter) :]) + 1)
    return "(?:" + "|".join(f"{letter}{number:0{width}d}" for number in numbers) + ")"


def matches(codes_N: pd.Series, patterns: Iterable[str]) -> np.ndarray:
    """Which codes any of the patterns names.

    Parameters
    ----------
    codes_N : Series of text or category
        As the tables hold them, with or without points.
    patterns : iterable of str
        See `compile_patterns`.

    Returns
    -------
    ndarray of bool (N,)
        False for a missing code.
    """
    expression = compile_patterns(patterns)
    categories = codes_N.astype("category")
    named = [expression.match(normalise(str(code))) is not None for code in categories.cat.categories]
    found = np.array([*named, False])  # a missing code has category -1, which reads the last
    return found[categories.cat.codes.to_numpy()]
