"""What a pandas index says of the steps of a series: their order, their season, how they go on."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

__all__ = [
    "calendar_of",
    "describe_index",
    "future_index",
    "index_of",
    "later_index",
    "refuse_disorder",
    "refuse_other_labels",
]

# The first letters of a frequency of pandas → the steps of its season.
SEASONS = {
    "Q": 4, "B": 5, "D": 7, "M": 12, "BM": 12, "SM": 24, "W": 52, "H": 24, "h": 24, "bh": 8,
    "min": 60, "T": 60, "s": 60, "S": 60, "Y": 1, "A": 1, "BY": 1, "BA": 1, "BQ": 4,
}  # fmt: skip


def index_of(data: Any) -> Any:
    """Return the index of a pandas series or frame; None for anything else."""
    index = getattr(data, "index", None)
    return index if hasattr(index, "is_monotonic_increasing") else None


def refuse_disorder(index: Any, name: str) -> None:
    """Raise ValueError unless labels increase."""
    if not (index.is_monotonic_increasing and index.is_unique):
        raise ValueError(
            f"{name} must be in the order of its index, each label once; sort it with "
            f"{name}.sort_index()"
        )


def describe_index(data: Any, name: str) -> dict[str, Any] | None:
    """Return what is needed to go on from an index, as plain values; None without one.

    Raises
    ------
    ValueError
        If labels do not increase, are not evenly spaced, or neither times nor numbers.
    """
    index = index_of(data)
    if index is None:
        return None
    refuse_disorder(index, name)
    kind = type(index).__name__
    label = index.name if isinstance(index.name, str) else None
    if kind == "PeriodIndex":
        steps, due = np.diff(index.asi8), index.freq.n  # of several base units, as "15min"
        if not (steps == due).all():
            raise ValueError(_uneven(name, index, int(np.argmax(steps != due))))
        return {"kind": "period", "last": str(index[-1]), "freq": index.freqstr, "name": label}
    if kind == "DatetimeIndex":
        freq = index.freqstr or (_inferred(index) if len(index) > 2 else None)
        if freq is None:
            steps = np.diff(index.asi8)
            odd = int(np.argmax(steps != steps[0])) if len(steps) else 0
            raise ValueError(_uneven(name, index, odd))
        zone = None if index.tz is None else _zone(index.tz)
        last = index[-1].isoformat()
        unit = getattr(index, "unit", None)
        return {
            "kind": "date", "last": last, "freq": freq, "zone": zone, "unit": unit, "name": label,
        }  # fmt: skip
    values = index.to_numpy()
    if index.dtype.kind == "f":
        step = _float_step(values, index, name)
        return {"kind": "float", "last": float(values[-1]), "step": step, "name": label}
    if index.dtype.kind not in "iu" and kind != "TimedeltaIndex":
        raise ValueError(
            f"{name} must have an index of dates, periods, time differences or numbers, got one "
            f"of dtype {index.dtype}; {name}.reset_index(drop=True) counts the steps"
        )
    described = {"kind": "integer", "name": label}
    if kind == "TimedeltaIndex":
        described = {"kind": "duration", "unit": np.datetime_data(values.dtype)[0], "name": label}
        values = values.astype(np.int64)
    steps = np.diff(values)
    if len(steps) and not (steps == steps[0]).all():
        raise ValueError(_uneven(name, index, int(np.argmax(steps != steps[0]))))
    step = int(steps[0]) if len(steps) else 1
    return {**described, "last": int(values[-1]), "step": step}


def _zone(zone: Any) -> str:
    """Return the name by which pandas knows a time zone of any library."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)  # of zoneinfo, pytz
    if name:
        return str(name)
    fixed = zone.utcoffset(None)
    if fixed is not None:
        return str(datetime.timezone(fixed))
    file = getattr(zone, "_filename", None)  # of dateutil
    return str(zone) if file is None else f"dateutil/{file}"


def _float_step(values: np.ndarray, index: Any, name: str) -> float:
    """Return how far apart floats are.

    Raises
    ------
    ValueError
        If that differs by more than rounding.
    """
    n = len(values)
    if n == 1:
        return 1.0
    exact = values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        step = float((exact[-1] - exact[0]) / (n - 1))
        line = exact[0] + step * np.arange(n)
        even = np.abs(exact - line) <= _rounding(values, step)
    if not even.all():
        steps = np.diff(exact)
        raise ValueError(_uneven(name, index, int(np.argmax(np.abs(steps - np.median(steps))))))
    return step


def _rounding(values: np.ndarray, step: float) -> float:
    """Return how far floats may be from where they are due."""
    return float(1e-6 * step + 4 * np.finfo(values.dtype).eps * np.abs(values).max())


def _inferred(index: Any) -> Any:
    import pandas as pd

    found = pd.infer_freq(index)
    return getattr(found, "freqstr", found)  # text, or an offset, as the version of pandas has it


def _uneven(name: str, index: Any, place: int) -> str:
    return (
        f"{name} must have an evenly spaced index; after {index[place]} comes "
        f"{index[min(place + 1, len(index) - 1)]}"
    )


def calendar_of(described: dict[str, Any] | None) -> int:
    """Return the steps of a season that a frequency stands for; 0 if there is none."""
    if described is None or "freq" not in described:
        return 0
    freq = described["freq"].partition("-")[0]
    digits = freq[: len(freq) - len(freq.lstrip("0123456789"))]
    unit = freq[len(digits) :]
    unit = unit if unit in SEASONS else unit.removesuffix("S").removesuffix("E")
    season = SEASONS.get(unit, 0)
    if not digits or digits == "1" or not season:
        return season
    return season // int(digits) if season % int(digits) == 0 else 0


def future_index(described: dict[str, Any], steps: np.ndarray) -> Any:
    """Return the index of some steps, 1 the first, after the end of a described one."""
    import pandas as pd

    kind, name, n = described["kind"], described["name"], int(steps.max())
    if kind == "period":
        start = pd.Period(described["last"], described["freq"]) + 1
        index: Any = pd.period_range(start, periods=n, freq=described["freq"])
    elif kind == "date":
        start = pd.Timestamp(described["last"])
        if described["zone"] is not None:
            start = start.tz_convert(described["zone"])
        if described.get("unit"):  # which files of old do not tell
            start = start.as_unit(described["unit"])
        index = pd.date_range(start, periods=n + 1, freq=described["freq"])[1:]
    elif kind == "duration":
        numbers = described["last"] + described["step"] * np.arange(1, n + 1)
        index = pd.TimedeltaIndex(numbers.astype(f"m8[{described['unit']}]"))
    elif kind in ("integer", "float"):
        step = described["step"]
        index = pd.Index(described["last"] + step * np.arange(1, n + 1))
    else:
        index = pd.RangeIndex(1, n + 1)
    return index[steps - 1].rename(name)


def refuse_other_labels(index: Any, due: Any, text: str, described: dict[str, Any] | None) -> None:
    """Raise ValueError, beginning with a text, unless an index has the labels that are due.

    `described` is what is known of the index that these belong to.
    """
    if described is not None and described["kind"] == "float" and index.dtype.kind in "fiu":
        values = index.to_numpy().astype(index.dtype if index.dtype.kind == "f" else np.float64)
        same = np.abs(values - due.to_numpy()) <= _rounding(values, described["step"])
    else:
        same = np.asarray(index == due)
    if not same.all():
        step = int(np.argmin(same))
        raise ValueError(f"{text}: step {step} must be labelled {due[step]}, got {index[step]}")


def later_index(described: dict[str, Any] | None, index: Any) -> dict[str, Any] | None:
    """Return what is said of an index when another goes on from it.

    Raises
    ------
    ValueError
        If that begins elsewhere, or leaves something out.
    """
    if described is None or described["kind"] == "position":
        return described
    due = future_index(described, np.arange(1, len(index) + 1))
    refuse_other_labels(index, due, "y must go on where it ended", described)
    kind = described["kind"]
    if kind == "date":
        last = due[-1].isoformat()
    elif kind == "period":
        last = str(due[-1])
    elif kind == "float":
        last = float(index[-1])
    else:
        last = described["last"] + described["step"] * len(index)
    return {**described, "last": last}
