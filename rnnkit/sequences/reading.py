"""Reads every accepted form of sequence data into flat values and offsets, and says no clearly."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.sequences.forms import Form

__all__ = [
    "check_finite",
    "check_lengths",
    "convert_values",
    "read",
    "refuse_empty",
]

LARGEST_EXACT_INTEGER = 2**53  # up to here float64 holds every integer


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
        values, steps = _rows_of_array(_as_array(X, name), lengths, step_features, name)
        values = convert_values(values, name, dtype)
    elif lengths is not None:
        raise ValueError(
            f"lengths belongs to a padded array; {name} is a {type(X).__name__}, "
            "whose sequences have their own lengths"
        )
    else:
        items = X if form.kind == "list" else list(np.asarray(X))
        values, steps = _rows_of_list(items, step_features, name, dtype)
    refuse_empty(steps, name, allow_empty)
    offsets = np.zeros(len(steps) + 1, dtype=np.intp)
    np.cumsum(steps, out=offsets[1:])
    check_finite(values, offsets, name, allow_nan)
    return values, offsets


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
    raise TypeError(
        f"{name} must be an array, a frame, Sequences or a list of arrays, got {type(X).__name__}"
    )


def _as_array(X: Any, name: str) -> np.ndarray:
    """Return X as a plain ndarray without copying one; masked entries are refused."""
    if np.ma.is_masked(X):
        raise ValueError(f"{name} is a masked array with masked entries; fill or drop them first")
    return np.asarray(X)


def _rows_of_array(
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


def check_lengths(lengths: Any, n_sequences: int, n_steps: int) -> np.ndarray:
    """Check the lengths of padded sequences.

    Parameters
    ----------
    lengths : array-like of shape (n_sequences,), integer
        Each between 0 and `n_steps`.
    n_sequences, n_steps : int

    Returns
    -------
    ndarray of shape (n_sequences,), intp

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If their number or one of them is wrong.
    """
    given = np.asarray(lengths)
    if given.shape != (n_sequences,):
        raise ValueError(f"lengths must have shape ({n_sequences},), got {given.shape}")
    is_whole = given.dtype.kind in "iu" or (
        given.dtype.kind == "f" and bool(np.all(np.isfinite(given) & (given == np.floor(given))))
    )
    if not is_whole:
        raise TypeError(f"lengths must be integers, got dtype {given.dtype}")
    wrong = (given < 0) | (given > n_steps)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"lengths[{i}] must be between 0 and {n_steps}, got {given[i]}")
    return given.astype(np.intp)


def _rows_of_list(
    items: Iterable[Any], step_features: int, name: str, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (ΣT, F) of a list of sequences and the steps (n,) of each."""
    arrays = list(_arrays_of_items(items, step_features, name))
    if not arrays:
        return np.empty((0, 1)), np.empty(0, dtype=np.intp)
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
    steps = np.array([len(array) for array in arrays], dtype=np.intp)
    filled = [array for array in arrays if len(array)] or arrays[:1]
    if len({array.dtype for array in filled}) == 1:
        return convert_values(np.concatenate(filled), name, dtype), steps
    if dtype is None:
        dtype = np.float32 if all(_is_float32(array.dtype) for array in filled) else np.float64
    return np.concatenate([convert_values(array, name, dtype) for array in filled]), steps


def _arrays_of_items(items: Iterable[Any], step_features: int, name: str) -> Iterator[np.ndarray]:
    """Yield each sequence as an array (T, F); one given as an empty list stays (0,)."""
    for i, item in enumerate(items):
        if type(item) is not np.ndarray:
            item = _array_of_item(item, i, name)
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


def _array_of_item(item: Any, i: int, name: str) -> np.ndarray:
    """Return one sequence of a list as an array."""
    if item is None or isinstance(item, (str, bytes, dict, set)):
        raise ValueError(
            f"{name}: sequence {i} is a {type(item).__name__}; "
            "expected an array (steps, features) or (steps,) of numbers"
        )
    if not np.isscalar(item):
        _refuse_other_types(item, f"{name}: sequence {i}")
    try:
        return _as_array(item, f"{name}: sequence {i}")
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"{name}: the steps of sequence {i} differ in their number of features"
        ) from error


def _is_float32(dtype: np.dtype) -> bool:
    return dtype.kind == "f" and dtype.itemsize == 4


def convert_values(array: np.ndarray, name: str, dtype: Any = None) -> np.ndarray:
    """Convert values to the compute dtype, exactly where they are integers.

    Parameters
    ----------
    array : ndarray of any shape
    name : str
        The argument's name, for error texts.
    dtype : None, float32, float64 or "tokens"
        None keeps float32 and turns everything else into float64; "tokens" gives intp.

    Returns
    -------
    ndarray of the same shape
        C-contiguous, aligned, in native byte order; `array` itself where it is so already.

    Raises
    ------
    TypeError
        If an object is no number.
    ValueError
        If the values are not real numbers or do not fit the dtype.
    """
    kind = array.dtype.kind
    if kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if kind == "O":
        array = _numbers_of_objects(array, name)
    elif kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if isinstance(dtype, str) and dtype == "tokens":
        return _tokens(array, name)
    if dtype is None:
        dtype = np.float32 if _is_float32(array.dtype) else np.float64
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        _refuse_inexact_integers(array, name)
    with np.errstate(over="ignore"):
        converted = np.require(array, np.dtype(dtype), ["C", "A"])
    if array.dtype.kind == "f" and array.dtype.itemsize > converted.dtype.itemsize:
        too_large = np.isinf(converted) & np.isfinite(array)
        if too_large.any():
            value = array[too_large][0]
            raise ValueError(
                f"Input {name} contains {value}, which is too large for dtype {converted.dtype}"
            )
    return converted


def _numbers_of_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Convert an object array of numbers to float64."""
    for value in array.flat:
        if isinstance(value, (str, bytes)):
            raise ValueError(f"{name} must hold real numbers, got the string {value!r}")
        if isinstance(value, (complex, np.complexfloating)):
            raise ValueError(f"Complex data not supported: {name} holds {value!r}")
    try:
        converted = array.astype(np.float64)
    except TypeError as error:
        raise TypeError(f"{name} must hold real numbers: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}") from error
    large = np.abs(converted) >= LARGEST_EXACT_INTEGER
    if large.any():
        _refuse_rounded((v for v in array[large] if isinstance(v, Integral)), name)
    return converted


def _refuse_inexact_integers(array: np.ndarray, name: str) -> None:
    """Raise if an integer changes when it becomes float64."""
    large = array > LARGEST_EXACT_INTEGER
    if array.dtype.kind == "i":
        large |= array < -LARGEST_EXACT_INTEGER
    if large.any():
        _refuse_rounded(array[large].tolist(), name)


def _refuse_rounded(integers: Iterable[Any], name: str) -> None:
    for value in integers:
        if int(float(value)) != value:
            raise ValueError(f"{name} holds the integer {value}, which float64 cannot hold exactly")


def _tokens(array: np.ndarray, name: str) -> np.ndarray:
    """Convert whole, non-negative numbers to intp."""
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2.0**62)
        if not whole.all():
            raise ValueError(f"{name} must hold integer token ids, got {array[~whole][0]}")
    if array.size and array.min() < 0:
        raise ValueError(f"{name} must hold token ids of at least 0, got {array.min()}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.intp).max:
        raise ValueError(f"{name} must hold token ids below 2**63, got {array.max()}")
    return np.require(array, np.intp, ["C", "A"])


def check_finite(
    values: np.ndarray, offsets: np.ndarray, name: str, allow_nan: bool = False
) -> None:
    """Raise ValueError if a value is NaN or infinite, naming its sequence, step and feature.

    Parameters
    ----------
    values : ndarray of shape (ΣT, F)
    offsets : ndarray of shape (n + 1,), intp
    name : str
        The argument's name, for error texts.
    allow_nan : bool, default=False
        Whether NaN is accepted.
    """
    if values.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    finite = ~np.isinf(values) if allow_nan else np.isfinite(values)
    if finite.all():
        return
    row, feature = divmod(int(np.argmin(finite)), values.shape[1])
    sequence = int(np.searchsorted(offsets, row, side="right")) - 1
    what = "NaN" if np.isnan(values[row, feature]) else "infinity"
    raise ValueError(
        f"Input {name} contains {what}: "
        f"sequence {sequence}, step {row - offsets[sequence]}, feature {feature}"
    )
