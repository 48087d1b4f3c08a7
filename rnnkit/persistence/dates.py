"""Dates and spans of time as plain values: Python's and NumPy's, whatever their unit.

Those of NumPy are a dtype and an integer, those of Python their ISO text or their integers. Times
with a zone are no plain values.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError

__all__ = ["DATES", "date_of", "plain_date"]

# The dtypes of dates and of spans of time.
DATES = re.compile(r"[<>][mM]8(?:\[(?:[YMWDhms]|[munpfa]s)\])?")


def plain_date(value: Any) -> list[Any] | None:
    """Return a date or a span of time as a name and plain values; None for anything else."""
    kind = type(value)
    if isinstance(value, (np.datetime64, np.timedelta64)) and DATES.fullmatch(value.dtype.str):
        return [value.dtype.str, int(value.astype(np.int64))]
    if kind is date or (kind is datetime and value.tzinfo is None):
        return [kind.__name__, value.isoformat()]
    if kind is timedelta:
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    return None


def date_of(content: Any) -> Any:
    """Return what `plain_date` told of.

    Raises
    ------
    FormatError
        If it is none.
    """
    name, told = content if isinstance(content, list) and len(content) == 2 else (None, None)
    found: Any
    try:
        if name in ("date", "datetime") and isinstance(told, str):
            found = (date if name == "date" else datetime).fromisoformat(told)
            if plain_date(found) == content:
                return found
        elif name == "timedelta" and isinstance(told, list) and set(map(type, told)) == {int}:
            found = timedelta(*told)
            if plain_date(found) == content:
                return found
        elif isinstance(name, str) and DATES.fullmatch(name) and type(told) is int:
            return np.array(told, np.int64).astype(name)[()]
    except (ValueError, TypeError, OverflowError):
        pass
    raise FormatError(f"no date is {content!r:.100}")
