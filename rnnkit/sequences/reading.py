"""Reads every accepted form of sequence data into flat values and offsets, and says no clearly."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.sequences.columns import (
    Places,
    column_names,
    refuse_columns,
    shared_columns,
)
from rnnkit.sequences.forms import Form
from rnnkit.sequences.numbers import (
    ENCODE_TEXT,
    check_finite,
    convert_values,
    is_float32,
    is_missing,
)

__all__ = [
    "array_of_item",
    "arrays_of_list",
    "as_array",
    "check_lengths",
    "read",
    "refuse_empty",
    "refuse_masked",
    "rows_of_array",
    "steps_before_missing",
]


def read(
    X: Any,
    lengths: Any,
    step_features: int,
    name: str,
    dtype: Any,
    allow_empty: bool,
    allow_nan: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Read a padded array, a frame or a list of arrays.

    Parameters are those of `Sequences.from_any`.

    Returns
    -------
    values : ndarray of shape (ΣT, F)
    offsets : ndarray of shape (n + 1,), intp
    """
    step_features = _positive_integer(step_features, "step_features")
    _refuse_other_types(X, name)
    form = Form.of(X)
    if form.is_dense:
        values, steps = rows_of_array(as_array(X, name), lengths, step_features, name)
        arrays, columns = [values], column_names(X)
    elif lengths is not None:
        raise ValueError(
            f"lengths belongs to a padded array; {name} is a {type(X).__name__}, "
            "whose sequences have their own lengths"
        )
    else:
        items = X if form.kind == "list" else list(np.asarray(X))
        arrays, steps = arrays_of_list(items, step_features, name)
        columns = shared_columns(items)
    refuse_empty(steps, name, allow_empty)
    offsets = np.zeros(len(steps) + 1, dtype=np.intp)
    np.cumsum(steps, out=offsets[1:])
    place = Places(offsets, arrays[0].shape[1], columns, form.kind == "rows")
    values = _converted(arrays, name, dtype, allow_nan, place)
    check_finite(values, name, place, allow_nan)
    return values, offsets


def _converted(
    arrays: list[np.ndarray], name: str, dtype: Any, allow_nan: bool, place: Places
) -> np.ndarray:
    """Return the rows of all sequences, converted; those of one dtype all at once."""
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if len({array.dtype for array in filled}) == 1:
        values = np.concatenate(filled) if len(arrays) > 1 else filled[0]
        return convert_values(values, name, dtype, allow_nan=allow_nan, place=place)
    if dtype is None:
        dtype = np.float32 if all(is_float32(array.dtype) for array in filled) else np.float64
    converted, start = [], 0
    for array in filled:
        shifted = partial(_shifted_place, place, start)
        converted.append(convert_values(array, name, dtype, allow_nan=allow_nan, place=shifted))
        start += array.size
    return np.concatenate(converted)


def _shifted_place(place: Places, start: int, entry: int) -> str:
    return place(start + entry)


def refuse_empty(steps: np.ndarray, name: str, allow_empty: bool) -> None:
    """Raise if there is no sequence, or a sequence without steps where none is allowed."""
    if len(steps) == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0,)) while a minimum of 1 is required for {name}"
        )
    if not allow_empty and not steps.all():
        raise ValueError(f"{name}: sequence {int(np.argmin(steps))} is empty (length 0)")


def _positive_integer(value: Any, name: str) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value!r}")
    return operator.index(value)


def _refuse_other_types(X: Any, name: str) -> None:
    """Raise TypeError for anything but a list, a tuple or something NumPy reads as an array."""
    if hasattr(X, "__cuda_array_interface__"):
        raise TypeError(
            f'{name} lies on a GPU ({type(X).__name__}); copy it with .get(), or use device="cuda"'
        )
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required; use .toarray()"
        )
    array_like = hasattr(X, "__array__") or hasattr(X, "__array_interface__")
    if isinstance(X, (list, tuple)) or array_like:
        return
    remedy = ENCODE_TEXT if isinstance(X, (str, bytes)) else ""
    raise TypeError(
        f"{name} must be an array, a frame, Sequences or a list of arrays, "
        f"got {type(X).__name__}{remedy}"
    )


def as_array(X: Any, name: str) -> np.ndarray:
    """Return X as a plain ndarray without copying one.

    Raises
    ------
    ValueError
        If an entry is masked, or a frame has a column that holds no numbers.
    """
    refuse_masked(X, name)
    refuse_columns(X, name)
    return np.asarray(X)


def refuse_masked(X: Any, name: str) -> None:
    """Raise if X, or an entry of the list X, is a masked array with masked entries.

    NumPy drops the mask on the way to a plain array and shows what lies beneath it.

    Parameters
    ----------
    X : array, list or anything else
    name : str
        The argument's name, for error texts.

    Raises
    ------
    ValueError
        Naming the argument.
    """
    if isinstance(X, (list, tuple)):
        for i, item in enumerate(X):
            if isinstance(item, np.ma.MaskedArray):
                refuse_masked(item, f"{name}[{i}]")
    elif isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):  # pandas' arrays have masks, too
        raise ValueError(f"{name} is a masked array with masked entries; fill or drop them first")


def rows_of_array(
    array: np.ndarray, lengths: Any, step_features: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the real rows (ΣT, F) of a padded array and the steps (n,) of its sequences."""
    if array.ndim < 2:
        got = "scalar" if array.ndim == 0 else "1D"
        raise ValueError(
            f"Expected 2D or 3D array for {name}, got {got} array instead. Reshape your data "
            "with array.reshape(1, -1) if it is one sequence of numbers"
        )
    if array.ndim > 3:
        raise ValueError(f"Found array with dim {array.ndim}; {name} must have dim 2 or 3")
    n = array.shape[0]
    if n == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={array.shape}) "
            f"while a minimum of 1 is required for {name}"
        )
    if array.shape[-1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={array.shape}) "
            f"while a minimum of 1 is required for {name}."
        )
    if array.ndim == 2:
        array = _fold(array, step_features, name)
    n_steps, n_features = array.shape[1:]
    if lengths is None:
        return array.reshape(n * n_steps, n_features), np.full(n, n_steps, dtype=np.intp)
    if isinstance(lengths, str):
        steps = steps_before_missing(array, lengths)
    else:
        steps = check_lengths(lengths, n, n_steps)
    if steps.min() == n_steps:
        return array.reshape(n * n_steps, n_features), steps
    return array[np.arange(n_steps) < steps[:, None]], steps


def _fold(rows: np.ndarray, step_features: int, name: str) -> np.ndarray:
    """View rows (n, T * F) as (n, T, F)."""
    n, n_columns = rows.shape
    if n_columns % step_features:
        raise ValueError(
            f"{name} has {n_columns} columns, which is no multiple of step_features={step_features}"
        )
    return rows.reshape(n, n_columns // step_features, step_features)


def steps_before_missing(array: np.ndarray, lengths: str) -> np.ndarray:
    """Return the steps (n,) of sequences (n, T, F) up to the last one that holds a value."""
    if lengths != "nan":
        raise ValueError(f'lengths must be an integer for each sequence or "nan", got {lengths!r}')
    empty: Any = is_missing(array).all(axis=2)
    n_beyond = np.where(empty.all(axis=1), empty.shape[1], (~empty[:, ::-1]).argmax(axis=1))
    return np.asarray(empty.shape[1] - n_beyond, dtype=np.intp)


def check_lengths(lengths: Any, n_sequences: int, n_steps: int | np.ndarray) -> np.ndarray:
    """Check the lengths of padded sequences.

    Parameters
    ----------
    lengths : array-like of shape (n_sequences,), integer
        Each between 0 and `n_steps`.
    n_sequences : int
    n_steps : int, or ndarray of shape (n_sequences,)

    Returns
    -------
    ndarray of shape (n_sequences,), intp

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If their number or one of them is wrong, or one is masked.
    """
    refuse_masked(lengths, "lengths")
    given = np.asarray(lengths)
    if given.shape != (n_sequences,):
        raise ValueError(f"lengths must have shape ({n_sequences},), got {given.shape}")
    if not _are_whole(given):
        raise TypeError(f"lengths must be integers, got dtype {given.dtype}")
    wrong = (given < 0) | (given > n_steps)
    if wrong.any():
        i = int(np.argmax(wrong))
        most = int(np.broadcast_to(n_steps, given.shape)[i])
        raise ValueError(f"lengths[{i}] must be between 0 and {most}, got {given[i]}")
    return given.astype(np.intp)


def _are_whole(numbers: np.ndarray) -> bool:
    if numbers.dtype == object:
        return all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers.flat)
    if numbers.dtype.kind == "f":
        return bool(np.all(np.isfinite(numbers) & (numbers == np.floor(numbers))))
    return numbers.dtype.kind in "iu"


def arrays_of_list(
    items: Iterable[Any], step_features: int, name: str
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the rows (T_i, F) of each sequence of a list and the steps (n,) of each."""
    arrays = list(_arrays_of_items(items, step_features, name))
    if not arrays:
        return [np.empty((0, 1))], np.empty(0, dtype=np.intp)
    widths = np.array([array.shape[1] if array.ndim == 2 else -1 for array in arrays])
    known = widths[widths >= 0]
    n_features = int(known[0]) if len(known) else step_features
    if n_features == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={arrays[0].shape}) "
            f"while a minimum of 1 is required for {name}."
        )
    wrong = (widths >= 0) & (widths != n_features)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"{name}: sequence {i} has {widths[i]} features, expected {n_features}")
    arrays = [array if array.ndim == 2 else array.reshape(0, n_features) for array in arrays]
    return arrays, np.array([len(array) for array in arrays], dtype=np.intp)


def _arrays_of_items(items: Iterable[Any], step_features: int, name: str) -> Iterator[np.ndarray]:
    """Yield each sequence as an array (T, F); one given as an empty list stays (0,)."""
    for i, item in enumerate(items):
        if type(item) is not np.ndarray:
            item = array_of_item(item, i, name)
        if item.ndim == 1 and len(item):
            if len(item) % step_features:
                raise ValueError(
                    f"{name}: sequence {i} has {len(item)} values, "
                    f"which is no multiple of step_features={step_features}"
                )
            item = item.reshape(-1, step_features)
        elif item.ndim == 0:
            raise ValueError(
                f"Expected 2D or 3D array for {name}, got 1D array instead: element {i} is a "
                "single value. Reshape your data to one list or array per sequence"
            )
        elif item.ndim > 2:
            raise ValueError(
                f"{name}: sequence {i} has {item.ndim} dimensions; "
                "expected (steps, features) or (steps,)"
            )
        yield item


def array_of_item(item: Any, i: int, name: str) -> np.ndarray:
    """Return one sequence of a list as an array."""
    if item is None or isinstance(item, (str, bytes, dict, set)):
        remedy = ENCODE_TEXT if isinstance(item, (str, bytes)) else ""
        raise ValueError(
            f"{name}: sequence {i} is a {type(item).__name__}; "
            f"expected an array (steps, features) or (steps,) of numbers{remedy}"
        )
    if not np.isscalar(item):
        _refuse_other_types(item, f"{name}: sequence {i}")
    try:
        return as_array(item, f"{name}: sequence {i}")
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"{name}: the steps of sequence {i} differ in their number of features"
        ) from error
