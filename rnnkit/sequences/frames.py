"""Reads long frames: rows are steps, and columns say which sequence and which step each is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnnkit.exceptions import MissingExtraError
from rnnkit.sequences.categories import ColumnLabels, read_columns
from rnnkit.sequences.columns import Places, column_names
from rnnkit.sequences.forms import split_steps
from rnnkit.sequences.numbers import check_finite, convert_values, is_missing
from rnnkit.sequences.reading import refuse_empty

__all__ = ["LongFrame", "import_narwhals", "read_frame"]


class LongFrame(NamedTuple):
    """What `read_frame` returns: a long frame as flat steps."""

    values: np.ndarray  # (ΣT, F)
    offsets: np.ndarray  # (n + 1,) intp
    ids: np.ndarray  # (n,), tuples where several columns name a sequence
    columns: ColumnLabels  # their names, and what codes in them stand for
    y: np.ndarray | None  # one target for each sequence, or an object array of those of its steps


def read_frame(
    df: Any,
    group: str | Sequence[str],
    sort: str | Sequence[str] | None,
    columns: str | Sequence[str] | None,
    target: str | Sequence[str] | None,
    target_per: str | None,
    allow_nan: bool,
) -> LongFrame:
    """Read a long frame; parameters and errors are those of `Sequences.from_frame`."""
    if target_per not in (None, "sequence", "step"):
        raise ValueError(f'target_per must be None, "sequence" or "step", got {target_per!r}')
    if target is None and target_per is not None:
        raise ValueError(f"target_per={target_per!r} needs target, the column that holds it")
    groups, sorts = _names(group, "group"), _names(sort, "sort")
    targets = _names(target, "target")
    columns = None if columns is None else _names(columns, "columns")
    frame = _eager_frame(df)
    if columns is None:
        columns = [c for c in frame.columns if c not in (*groups, *sorts, *targets)]
        for column in columns:
            if not isinstance(column, str):
                raise ValueError(
                    f"df must have columns named by strings, got the name {column!r}; rename "
                    "it, or leave it out with columns="
                )
    for column in (*groups, *sorts, *columns, *targets):
        if column not in frame.columns:
            raise ValueError(f"df has no column {column!r}; it has {list(frame.columns)}")
    if not groups or len(columns) == 0:
        raise ValueError("group and columns must each name at least one column")
    seen = [column for column in targets if column in columns]
    if seen:
        raise ValueError(f"columns must not name the target {seen[0]!r}, which is to be predicted")
    codes, first_rows = _codes_in_order_of_appearance(frame, groups)
    keys = [_ranks(frame, column) for column in reversed(sorts)]
    order = np.lexsort((*keys, codes))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(first_rows)))])
    values, labels = read_columns(frame.select(list(columns)).to_native(), columns)
    values = values[order]
    place = Places(offsets, len(columns), tuple(columns))
    values = convert_values(values, "df", allow_nan=allow_nan, place=place)
    check_finite(values, "df", place, allow_nan)
    refuse_empty(np.diff(offsets), "df", allow_empty=False)
    ids = _rows_of([frame[column].to_numpy()[first_rows] for column in groups])
    y = None
    if targets:
        steps = [_values_of(frame[column])[order] for column in targets]
        y = _targets(steps, targets, isinstance(target, str), offsets, ids, target_per)
    return LongFrame(values, offsets, ids, labels, y)


def _names(given: str | Sequence[str] | None, name: str) -> list[str]:
    """Return the names of columns that an argument gives: one, several or none."""
    names = [] if given is None else [given] if isinstance(given, str) else given
    if isinstance(names, (bytes, dict)) or not isinstance(names, Iterable):
        raise TypeError(f"{name} must be the name of a column or a list of names, got {given!r}")
    listed = list(names)
    for column in listed:
        if not isinstance(column, str):
            raise TypeError(f"{name} must name columns by strings, got {column!r}")
        if listed.count(column) > 1:
            raise ValueError(f"{name} must name different columns, got {column!r} twice")
    return listed


def import_narwhals(purpose: str) -> Any:
    """Return the module that reads any library's frames; MissingExtraError names its extra."""
    try:
        import narwhals
    except ImportError as error:
        raise MissingExtraError("narwhals", "frames", purpose) from error
    return narwhals


def _eager_frame(df: Any) -> Any:
    narwhals = import_narwhals("Sequences.from_frame")
    names = column_names(df)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"df must have columns of different names, got {name!r} twice")
    try:
        return narwhals.from_native(df, eager_only=True)
    except TypeError as error:
        raise TypeError(
            f"df must be a pandas, polars or pyarrow frame, got {type(df).__name__}"
        ) from error


def _ranks(frame: Any, column: str) -> np.ndarray:
    """Return the rank of each row's value among the sorted distinct values of a column."""
    series = frame[column]
    values = series.to_numpy()
    if series.is_null().any() or is_missing(values).any():
        raise ValueError(f"df column {column!r} has missing values, which can order nothing")
    categories = _ordered_categories(series.to_native())
    if categories is not None:
        rank = {label: i for i, label in enumerate(categories)}
        return np.array([rank[label] for label in series.to_list()], dtype=np.intp)
    try:
        return np.unique(values, return_inverse=True)[1]
    except TypeError:
        kinds = sorted({type(value).__name__ for value in values})
        raise ValueError(
            f"df column {column!r} must hold keys of one kind, which have an order, got "
            f"{', '.join(kinds)}"
        ) from None


def _ordered_categories(native: Any) -> list[Any] | None:
    """Return the categories of a column that have an order, in it; None if there are none."""
    if hasattr(native, "unify_dictionaries"):  # pyarrow
        if not getattr(native.type, "ordered", False):
            return None
        chunks = native.unify_dictionaries().chunks
        return list(chunks[0].dictionary.to_pylist()) if chunks else []
    dtype = native.dtype
    is_ordered = getattr(dtype, "ordered", type(dtype).__name__ == "Enum")  # of pandas; polars
    return list(dtype.categories) if is_ordered and hasattr(dtype, "categories") else None


def _codes_in_order_of_appearance(frame: Any, groups: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number the groups of rows 0, 1, ... by their first row; return that of each, too."""
    ranks = np.column_stack([_ranks(frame, column) for column in groups])
    _, first, inverse = np.unique(ranks, axis=0, return_index=True, return_inverse=True)
    position = np.empty(len(first), dtype=np.intp)
    position[np.argsort(first)] = np.arange(len(first))
    return position[inverse.ravel()], np.sort(first)


def _rows_of(columns: list[np.ndarray]) -> np.ndarray:
    """Return the entries of one column, or tuples of those of several."""
    if len(columns) == 1:
        return columns[0]
    rows = np.empty(len(columns[0]), dtype=object)
    rows[:] = list(zip(*map(_entries, columns)))
    return rows


def _entries(column: np.ndarray) -> list[Any]:
    """Return the entries as Python has them; times stay NumPy's where Python cannot hold them."""
    if column.dtype.kind not in "mM":
        return list(column.tolist())
    coarse = column.astype(f"{column.dtype.kind}8[us]")
    entries = coarse.tolist()
    known = np.array_equal(coarse, column) and not any(isinstance(e, int) for e in entries)
    return list(entries if known else column)


def _values_of(series: Any) -> np.ndarray:
    """Return the targets of a column; a missing number is NaN, another missing value None."""
    values: np.ndarray = series.to_numpy()
    if values.dtype.kind != "O":
        return values
    missing = is_missing(values)
    if not missing.any():
        return values
    if all(isinstance(value, (int, float)) for value in values[~missing]):
        numbers = np.full(len(values), np.nan)
        numbers[~missing] = values[~missing].astype(np.float64)
        return numbers
    values = values.copy()
    values[missing] = None
    return values


def _targets(
    steps: list[np.ndarray],
    names: list[str],
    is_one: bool,
    offsets: np.ndarray,
    ids: np.ndarray,
    per: str | None,
) -> np.ndarray:
    """Return y for each sequence, or for each step as `per` asks or the values are."""
    starts, sequence = offsets[:-1], np.repeat(np.arange(len(ids)), np.diff(offsets))
    if per is None:
        per = "sequence" if all(_is_constant(s, starts, sequence) for s in steps) else "step"
    if per == "sequence":
        chosen = [_one_of_each(s, name, sequence, ids) for s, name in zip(steps, names)]
        return chosen[0] if is_one else _side_by_side(chosen)
    return split_steps(steps[0] if is_one else _side_by_side(steps), offsets)


def _side_by_side(columns: list[np.ndarray]) -> np.ndarray:
    """Return columns as an array (n, K), as objects where NumPy would make text of numbers."""
    kinds = {"number" if c.dtype.kind in "biuf" else c.dtype.kind for c in columns}
    if len(kinds) > 1:
        columns = [_objects(column) for column in columns]
    return np.column_stack(columns)


def _objects(column: np.ndarray) -> np.ndarray:
    objects = np.empty(len(column), dtype=object)
    objects[:] = _entries(column)
    return objects


def _is_constant(steps: np.ndarray, starts: np.ndarray, sequence: np.ndarray) -> bool:
    """Whether every step of a sequence has what its first has, if only no value."""
    missing, first = is_missing(steps), steps[starts][sequence]
    return bool(np.all((steps == first) | (missing & is_missing(first))))


def _one_of_each(steps: np.ndarray, name: str, sequence: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the one value that the steps of each sequence have, where they have one."""
    known = np.flatnonzero(~is_missing(steps))
    with_one, first = np.unique(sequence[known], return_index=True)
    if len(with_one) < len(ids):
        i = int(np.setdiff1d(np.arange(len(ids)), with_one)[0])
        raise ValueError(
            f"df column {name!r} has no value for the id {ids.tolist()[i]!r}; leave its rows "
            'out, or ask for target_per="step"'
        )
    values = steps[known[first]]
    differs = steps[known] != values[sequence[known]]
    if np.any(differs):
        entry = int(np.argmax(differs))
        i = int(sequence[known][entry])
        one, other = values.tolist()[i], steps[known].tolist()[entry]
        raise ValueError(
            f'target_per="sequence" needs one value for each id, but df column {name!r} holds '
            f"{one!r} and {other!r} for the id {ids.tolist()[i]!r}"
        )
    return values
