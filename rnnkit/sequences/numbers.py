"""Values become finite numbers of the compute dtype, exactly, or the one that cannot is named."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.sequences.columns import place_of

__all__ = [
    "DATES",
    "ENCODE_TEXT",
    "cast",
    "check_finite",
    "convert_values",
    "exponents_of",
    "is_float32",
    "is_missing",
    "label_array",
    "refuse_complex",
    "text_and_other",
]

SQUARABLE = 300  # binary exponent up to which sums of squares stay within float64
LARGEST_EXACT_INTEGER = 2**53  # up to here float64 holds every integer
MISSING = ("NAType", "NaTType")  # the types of pandas.NA and pandas.NaT
ENCODE_TEXT = (
    "; turn words or characters into ids with rnnkit.preprocessing.TokenEncoder, or name a column "
    "of labels in categorical_features of an estimator with embedding_dim"
)
DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def refuse_complex(values: Any, name: str) -> None:
    """Raise ValueError if values are complex numbers: shortly, as scikit-learn prints them all."""
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", None) == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {dtype}")


def convert_values(
    array: np.ndarray,
    name: str,
    dtype: Any = None,
    *,
    allow_nan: bool = False,
    place: Callable[[int], str] | None = None,
) -> np.ndarray:
    """Convert values to the compute dtype, exactly where they are integers.

    Parameters
    ----------
    array : ndarray of any shape
    name : str
        The argument's name, for error texts.
    dtype : None, float32, float64 or "tokens"
        None keeps float32 and turns everything else into float64; "tokens" gives intp.
    allow_nan : bool, default=False
        Whether an object that stands for a missing value, such as `pandas.NA`, becomes NaN.
    place : callable, default=None
        Names the place of an entry of the raveled array, for error texts; None: its index.

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
    refuse_complex(array, name)
    if kind == "O":
        array = _numbers_of_objects(array, name, allow_nan, place)
    elif kind not in "biuf":
        remedy = "; turn dates and times into numbers first" if kind in "mM" else ""
        remedy = ENCODE_TEXT if kind in "US" and name.startswith("X") else remedy
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}{remedy}")
    if isinstance(dtype, str) and dtype == "tokens":
        return _tokens(array, name)
    if dtype is None:
        dtype = np.float32 if is_float32(array.dtype) else np.float64
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        _refuse_inexact_integers(array, name)
    return cast(array, dtype, name, place)


def cast(
    values: np.ndarray, dtype: Any, name: str, place: Callable[[int], str] | None = None
) -> np.ndarray:
    """Convert real numbers to a floating-point dtype that may be narrower, and none to infinity.

    Parameters
    ----------
    values : ndarray of any shape, of real numbers
    dtype : float32 or float64
    name : str
        The argument's name, for error texts.
    place : callable, default=None
        Names the place of an entry of the raveled values, for error texts; None: its index.

    Returns
    -------
    ndarray of the same shape
        C-contiguous, aligned, in native byte order; `values` itself where it is so already.

    Raises
    ------
    ValueError
        If a finite number is too large for the dtype.
    """
    with np.errstate(over="ignore"):
        converted = np.require(values, np.dtype(dtype), ["C", "A"])
    narrower = values.dtype.kind == "f" and values.dtype.itemsize > converted.dtype.itemsize
    if narrower and not _sums_to_finite(converted):
        too_large = np.isinf(converted) & np.isfinite(values)
        if too_large.any():
            entry = int(np.argmax(too_large))
            raise ValueError(
                f"Input {name} contains {values.flat[entry]!s}, which is too large for "
                f"{converted.dtype}: {place_of(entry, values.shape, place)}"
            )
    return converted


def check_finite(
    values: np.ndarray, name: str, place: Callable[[int], str], allow_nan: bool = False
) -> None:
    """Raise ValueError if a value is NaN or infinite, naming its place.

    Parameters
    ----------
    values : ndarray of shape (ΣT, F)
    name : str
        The argument's name, for error texts.
    place : callable
        Names the place of an entry of the raveled values.
    allow_nan : bool, default=False
        Whether NaN is accepted.
    """
    if values.dtype.kind != "f" or _sums_to_finite(values):
        return
    finite = ~np.isinf(values) if allow_nan else np.isfinite(values)
    if finite.all():
        return
    entry = int(np.argmin(finite))
    what = "NaN" if np.isnan(values.flat[entry]) else "infinity"
    raise ValueError(f"Input {name} contains {what}: {place(entry)}")


def _sums_to_finite(values: np.ndarray) -> bool:
    """Whether the sum shows, at the cost of one pass, that no value is NaN or infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


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


def is_float32(dtype: np.dtype) -> bool:
    """Whether a dtype is float32, of either byte order."""
    return dtype.kind == "f" and dtype.itemsize == 4


def exponents_of(*arrays: np.ndarray) -> np.ndarray:
    """Return the power of two by which each column of arrays (n, ...) is divided before squaring.

    0 where sums of its squares stay within float64 as it is.
    """
    largest = [np.abs(array).max(axis=0, initial=0.0) for array in arrays]
    exponents: np.ndarray = np.frexp(np.max(largest, axis=0))[1]
    return np.where(np.abs(exponents) > SQUARABLE, exponents, 0)


def is_missing(values: np.ndarray) -> np.ndarray:
    """Return which entries stand for no value: NaN, None, `pandas.NA`, no time.

    Parameters
    ----------
    values : ndarray of any shape and dtype

    Returns
    -------
    ndarray of the same shape, bool
    """
    kind = values.dtype.kind
    missing = np.zeros(values.shape, bool)
    if kind in "fc":
        np.isnan(values, out=missing)
    elif kind in "mM":
        np.isnat(values, out=missing)
    elif kind == "O":
        missing.flat[:] = [_is_nothing(value) for value in values.flat]
    return missing


def label_array(labels: Any) -> np.ndarray:
    """Return labels as an array, a list of text and others as the objects they are.

    NumPy would make text of all, so that NaN became the label "nan". Its strings of any length
    are objects, too: scikit-learn knows no such dtype, and a file no such classes.
    """
    array = np.asarray(labels)
    if array.dtype.kind == "T":
        return array.astype(object)
    if array.dtype.kind not in "US" or array.ndim != 1 or not isinstance(labels, (list, tuple)):
        return array
    if not all(isinstance(label, (str, bytes)) for label in labels):
        array = np.empty(len(labels), dtype=object)
        array[:] = labels
    return array


def text_and_other(pieces: Iterable[np.ndarray], ignored: Any = None) -> dict[bool, Any]:
    """Return a label that is text, under True, and one that is not, as far as there are such.

    NaN, None and the one to be ignored are neither.
    """
    found: dict[bool, Any] = {}
    for piece in pieces:
        for label in _telling(piece, ignored):
            found.setdefault(isinstance(label, (str, bytes)), label)
    return found


def _telling(piece: np.ndarray, ignored: Any) -> list[Any]:
    """Return the labels of an array that may differ in kind: one where the dtype has one kind."""
    kind = piece.dtype.kind
    if kind == "O":
        known = piece[~is_missing(piece)].tolist()
        return [label for label in known if ignored is None or label != ignored]
    for entries in (piece[:1], piece):  # mostly the first tells
        known = entries if kind != "f" else entries[~np.isnan(entries)]
        told = np.broadcast_to(ignored is None or known != ignored, known.shape)
        if told.any():
            return list(known[told][:1].tolist())
    return []


def _is_nothing(value: Any) -> bool:
    if value is None or type(value).__name__ in MISSING:
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def _numbers_of_objects(
    array: np.ndarray, name: str, allow_nan: bool, place: Callable[[int], str] | None = None
) -> np.ndarray:
    """Convert an object array of numbers to float64; None becomes NaN, NA where it may."""
    missing = [i for i, v in enumerate(array.flat) if type(v).__name__ in MISSING]
    if missing and allow_nan:
        array = array.copy()
        for i in missing:
            array.flat[i] = np.nan
    for i, value in enumerate(array.flat):
        what, remedy = _no_number(value, name)
        if what:
            raise ValueError(f"{what} at {place_of(i, array.shape, place)}{remedy}")
    try:
        converted = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        where = place_of(_first_without_float(array), array.shape, place)
        raise kind(f"{name} must hold real numbers: {error} at {where}") from error
    large = np.abs(converted) >= LARGEST_EXACT_INTEGER
    if large.any():
        _refuse_rounded((v for v in array[large] if isinstance(v, Integral)), name)
    return converted


def _first_without_float(array: np.ndarray) -> int:
    """Return the index of the first entry of the raveled array that has no float."""
    for i, value in enumerate(array.flat):
        try:
            float(value)
        except (TypeError, ValueError, OverflowError):
            if value is not None:
                return i
    return 0


def _no_number(value: Any, name: str) -> tuple[str, str]:
    """Return what is wrong with an object, and a remedy; nothing if it may be a number."""
    if type(value) in (float, int, bool):
        return "", ""
    real_numbers = f"{name} must hold real numbers, got"
    if isinstance(value, (str, bytes)):
        return f"{real_numbers} the string {value!r}", ENCODE_TEXT if name.startswith("X") else ""
    if isinstance(value, (complex, np.complexfloating)):
        return f"Complex data not supported: {name} holds {value!r}", ""
    if type(value).__name__ in MISSING:
        return f"Input {name} contains {value!r}", "; fill it in or drop its row"
    if isinstance(value, DATES) or type(value).__name__ in ("Period", "Interval"):
        remedy = "; turn dates and times into numbers, such as hours since the start"
        return f"{real_numbers} {value!r}", remedy
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        remedy = "; give sequences as a list of arrays, one for each"
        return f"{real_numbers} a {type(value).__name__}", remedy
    return "", ""


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
