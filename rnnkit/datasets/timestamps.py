"""Reads dimensions whose values are pairs of time and value, and brings them to common times."""

from __future__ import annotations

import re

import numpy as np

from rnnkit.datasets.lines import BLANKS, parse_number

__all__ = ["parse_stamped"]

PAIR = re.compile(r"[ \t]*\(([^(),]*),([^(),]*)\)[ \t]*")
DAY, TIME_OF_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
DATE = re.compile(f"{DAY}([ T]{TIME_OF_DAY})?")  # without a time zone

Pairs = tuple[np.ndarray, np.ndarray]


def parse_stamped(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and times of dimensions such as ``(0,1.5),(1,2):(0,3)``.

    Parameters
    ----------
    text : str
        F dimensions between colons, of pairs between commas. The times of a dimension increase;
        they are numbers, or dates with or without a time of day.

    Returns
    -------
    values : ndarray of shape (T, F), float64
        NaN where a dimension has no value at a time.
    times : ndarray of shape (T,), float64 or datetime64[us]
        The times of all dimensions, increasing.

    Raises
    ------
    ValueError
        If the text is not as described.

    Examples
    --------
    >>> from rnnkit.datasets.timestamps import parse_stamped
    >>> parse_stamped("(0,1.5),(1,2):(0.5,3)")
    (array([[1.5, nan],
           [nan, 3. ],
           [2. , nan]]), array([0. , 0.5, 1. ]))
    """
    dimensions: list[Pairs] = []
    kinds = set()
    for i, pairs in enumerate(_dimensions(text), start=1):
        try:
            dimensions.append(_read(pairs))
        except ValueError as error:
            raise ValueError(f"dimension {i}: {error}") from error
        if pairs:
            kinds.add(dimensions[-1][0].dtype)
    if not kinds:
        raise ValueError("the sequence has no values")
    if len(kinds) > 1:
        raise ValueError("some times are numbers and some are dates")
    filled = [times for times, _ in dimensions if len(times)]
    common = np.unique(np.concatenate(filled))
    values = np.full((len(common), len(dimensions)), np.nan)
    for column, (times, numbers) in enumerate(dimensions):
        if len(times):
            values[np.searchsorted(common, times), column] = numbers
    return values, common


def _dimensions(text: str) -> list[list[tuple[str, str]]]:
    """Cut the text into dimensions of pairs; only pairs, commas and colons may stand there."""
    dimensions: list[list[tuple[str, str]]] = [[]]
    position, expects_pair = 0, False
    while position < len(text):
        match = PAIR.match(text, position)
        if match is not None:
            dimensions[-1].append((match[1], match[2]))
            position = match.end()
            expects_pair = False
        elif text[position] in BLANKS:
            position += 1
            continue
        if position == len(text):
            break
        separator = text[position]
        if separator not in ",:" or (separator == "," and (match is None or expects_pair)):
            raise ValueError(f"a pair (time,value) is expected, got {text[position:][:40]!r}")
        if separator == ":":
            if expects_pair:
                raise ValueError("a pair (time,value) is expected before the colon")
            dimensions.append([])
        expects_pair = separator == ","
        position += 1
    if expects_pair:
        raise ValueError("a pair (time,value) is expected after the last comma")
    return dimensions


def _read(pairs: list[tuple[str, str]]) -> Pairs:
    times: list[np.ndarray | float] = []
    values = []
    for k, (time, value) in enumerate(pairs, start=1):
        try:
            times.append(_time(time.strip(BLANKS)))
            values.append(parse_number(value))
        except ValueError as error:
            raise ValueError(f"pair {k} of {len(pairs)}: {error}") from error
    stamps = np.array(times)
    if stamps.dtype.kind not in "fM":
        raise ValueError("some times are numbers and some are dates")
    late = np.flatnonzero(stamps[1:] <= stamps[:-1])
    if len(late):
        k = int(late[0])
        raise ValueError(f"times must increase, got {pairs[k][0]} and then {pairs[k + 1][0]}")
    return stamps, np.array(values)


def _time(text: str) -> np.ndarray | float:
    if DATE.fullmatch(text):
        try:
            return np.datetime64(text.replace(" ", "T"), "us")  # type: ignore[return-value]
        except ValueError as error:
            raise ValueError(f"{text!r} is no date") from error
    number = parse_number(text)
    if np.isnan(number):
        raise ValueError("the time is missing")
    return number
