"""Columns of frames: which hold no numbers, and where an entry of a frame or array stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Places",
    "column_dtypes",
    "column_names",
    "holds_labels",
    "no_numbers",
    "place_of",
    "refuse_column",
    "refuse_columns",
    "shared_columns",
]

AS_CATEGORIES = "name it in categorical_features of an estimator with embedding_dim"
# What a dtype's name, in lower case, begins with; what such a column holds; what to do with it.
# The names are those of pandas, pandas over Arrow, polars and pyarrow.
NO_NUMBERS = (
    (
        re.compile(r"categor|dictionary|enum"),
        "is categorical",
        f"{AS_CATEGORIES}, or give one-hot columns instead",
    ),
    (
        re.compile(r"datetime|timestamp|timedelta|date|time|duration|period|interval|month_"),
        "holds dates or times",
        "turn it into numbers, such as hours since the start, or leave it out",
    ),
    (
        re.compile(r"str(ing)?(\W|_|$)|large_string|utf8|object_string"),
        "holds text",
        f"{AS_CATEGORIES}, encode it as numbers or leave it out",
    ),
    (
        re.compile(r"(large_|fixed_size_)?(list|binary)|array|struct|map<"),
        "holds no single numbers",
        "give a list of arrays, one per sequence, or leave it out",
    ),
)
LABELS = (0, 2)  # which of them hold labels


def refuse_columns(X: Any, name: str) -> None:
    """Raise if a column of a frame, or a series, has a dtype that is none of numbers.

    NumPy reads some of them as numbers all the same: dates as counts of nanoseconds, categories
    as their names. Columns of objects pass; their entries are looked at one by one later.

    Parameters
    ----------
    X : frame, series or anything else
        Only frames and series are looked at.
    name : str
        The argument's name, for error texts.

    Raises
    ------
    ValueError
        Naming the first such column and what to do with it.
    """
    dtypes = column_dtypes(X)
    reasons = {dtype: no_numbers(dtype) for dtype in set(dtypes)}
    if not any(reasons.values()):
        return
    i = next(i for i, dtype in enumerate(dtypes) if reasons[dtype])
    names = column_names(X)
    refuse_column(dtypes[i], name, f"its column {names[i]!r}" if names else "it")


def refuse_column(dtype: Any, name: str, column: str) -> None:
    """Raise if the dtype of one column is none of numbers.

    Parameters
    ----------
    dtype : dtype of any library
    name, column : str
        The argument's name and what the column is called, for error texts.

    Raises
    ------
    ValueError
        Naming both and what to do.
    """
    reason = no_numbers(dtype)
    if reason:
        what, remedy = reason
        if holds_labels(dtype) and not name.startswith("X"):
            remedy = "encode it as numbers or leave it out"
        raise ValueError(f"{name} must hold real numbers, but {column} {what} ({dtype}); {remedy}")


def holds_labels(dtype: Any) -> bool:
    """Whether a dtype is one of categories or of text."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "US" or str(dtype).lower().startswith("str")
    text = str(dtype).lower()
    return any(NO_NUMBERS[i][0].match(text) for i in LABELS)


def column_names(X: Any) -> tuple[Any, ...]:
    """Return the names of the columns of a frame, or of a series that has one; else none."""
    if hasattr(X, "column_names") and hasattr(X, "schema"):  # pyarrow
        return tuple(X.column_names)
    if hasattr(X, "columns") and (hasattr(X, "dtypes") or hasattr(X, "schema")):
        return tuple(X.columns)
    if not isinstance(X, np.ndarray) and hasattr(X, "dtype"):
        series = getattr(X, "name", None)
        return () if series in (None, "") else (series,)
    return ()


def column_dtypes(X: Any) -> list[Any]:
    """Return the dtypes of a frame's columns, or of a series; none for anything else."""
    if isinstance(X, (np.ndarray, list, tuple)):
        return []
    if hasattr(X, "columns"):
        if hasattr(X, "dtypes"):  # pandas, polars
            return list(X.dtypes)
        if hasattr(X, "schema"):
            schema = X.schema  # of pyarrow, or a mapping as narwhals has it
            return list(schema.types if hasattr(schema, "types") else schema.values())
    dtype = getattr(X, "dtype", getattr(X, "type", None))  # a series; Arrow's have a type
    return [] if dtype is None or callable(dtype) else [dtype]


def no_numbers(dtype: Any) -> tuple[str, str] | None:
    """Return what a column of this dtype holds and what to do, or None if it may hold numbers."""
    text = str(dtype).lower()
    return next(((what, do) for names, what, do in NO_NUMBERS if names.match(text)), None)


@dataclass(frozen=True, eq=False)
class Places:
    """Where entries of flat values stand in what the user gave, for error texts.

    Parameters
    ----------
    offsets : ndarray of shape (n + 1,), intp
        Where each sequence starts in the rows of the flat values.
    n_features : int
        Features of a step, F.
    columns : tuple, default=()
        Names of the columns, where there are any.
    columns_hold_steps : bool, default=False
        Whether a sequence is a row of the frame, so that each step has columns of its own.
    """

    offsets: np.ndarray
    n_features: int
    columns: tuple[Any, ...] = ()
    columns_hold_steps: bool = False

    def __call__(self, entry: int) -> str:
        """Name the place of an entry of the raveled values."""
        row, feature = divmod(entry, self.n_features)
        sequence = int(np.searchsorted(self.offsets, row, side="right")) - 1
        step = row - int(self.offsets[sequence])
        place = f"sequence {sequence}, step {step}, feature {feature}"
        column = step * self.n_features + feature if self.columns_hold_steps else feature
        if column < len(self.columns):
            place += f" (column {self.columns[column]!r})"
        return place


def shared_columns(frames: Iterable[Any]) -> tuple[Any, ...]:
    """Return the column names that all the frames of a list have, or none.

    Raises
    ------
    ValueError
        If two frames have columns of other names, or in another order: the columns that stand
        at one place would be read as one feature.
    """
    names = None
    for i, frame in enumerate(frames):
        if isinstance(frame, (np.ndarray, list, tuple)):
            return ()
        found = column_names(frame)
        if names is not None and found != names:
            texts = all(isinstance(column, str) for column in (*names, *found))
            if texts and len(getattr(frame, "shape", ())) == 2 and len(found) == len(names):
                raise ValueError(
                    f"The frames of a list must have the same columns in the same order: frame "
                    f"{i} has {list(found)[:5]}, frame 0 has {list(names)[:5]}"
                )
            return ()
        names = found
    return names or ()


def place_of(entry: int, shape: tuple[int, ...], place: Callable[[int], str] | None) -> str:
    """Name the place of an entry of a raveled array: as `place` does, or by its index."""
    if place is not None:
        return place(entry)
    index = tuple(int(i) for i in np.unravel_index(entry, shape))
    return f"index {index[0] if len(index) == 1 else index}"
