"""What a pandas index says of the steps of a series: their order, their season, how they go on."""

from __future__ import annotations

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
        If labels do not increase, or are not evenly spaced.
    """
    index = index_of(data)
    if index is None:
        return None
    refuse_disorder(index, name)
    kind = type(index).__name__
    label = index.name if isinstance(index.name, str) else None
    if kind == "PeriodIndex":
        steps = np.diff(index.asi8)
        if len(steps) and not (steps == 1).all():
            raise ValueError(_uneven(name, index, int(np.argmax(steps != 1))))
        return {"kind": "period", "last": str(index[-1]), "freq": index.freqstr, "name": label}
    if kind == "DatetimeIndex":
        freq = index.freqstr or (_inferred(index) if len(index) > 2 else None)
        if freq is None:
            steps = np.diff(index.asi8)
            odd = int(np.argmax(steps != steps[0])) if len(steps) else 0
            raise ValueError(_uneven(name, index, odd))
        zone = None if index.tz is None else str(index.tz)
        last = index[-1].isoformat()
        return {"kind": "date", "last": last, "freq": freq, "zone": zone, "name": label}
    if index.dtype.kind in "iu":
        steps = np.diff(index.to_numpy())
        if len(steps) and not (steps == steps[0]).all():
            raise ValueError(_uneven(name, index, int(np.argmax(steps != steps[0]))))
        step = int(steps[0]) if len(steps) else 1
        return {"kind": "integer", "last": int(index[-1]), "step": step, "name": label}
    return {"kind": "position", "name": None}


def _inferred(index: Any) -> Any:
    import pandas as pd

    return pd.infer_freq(index)


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
        index = pd.date_range(start, periods=n + 1, freq=described["freq"])[1:]
    elif kind == "integer":
        step = described["step"]
        index = pd.Index(described["last"] + step * np.arange(1, n + 1))
    else:
        index = pd.RangeIndex(1, n + 1)
    return index[steps - 1].rename(name)


def refuse_other_labels(index: Any, due: Any, text: str) -> None:
    """Raise ValueError, beginning with a text, unless an index has the labels that are due."""
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
    refuse_other_labels(index, due, "y must go on where it ended")
    return {**described, "last": _plain(due[-1], described["kind"])}


def _plain(label: Any, kind: str) -> Any:
    """Return a label as it is kept."""
    if kind == "date":
        return label.isoformat()
    return str(label) if kind == "period" else int(label)
