"""y and sample weights as the user gives them, arranged beside the steps of X.

Letters: N sequences, T steps, ΣT steps of all sequences, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import convert_values, is_missing, label_array, text_and_other
from rnnkit.sequences.reading import as_array, refuse_masked

__all__ = [
    "flatten_steps",
    "moderate",
    "read_weights",
    "refuse_mixed_types",
    "require_list",
    "require_targets",
    "stands_for_all",
    "values_of",
]

SAFE_EXPONENT = 64  # 2**-64 to 2**64: sums and products of such weights stay within float32


def flatten_steps(
    y: Any,
    sequences: Sequences,
    form: Form,
    name: str = "y",
    noun: str = "labels",
    ignore_label: Any = None,
) -> np.ndarray:
    """Put per-step values of any form into one array (ΣT,) or (ΣT, K).

    Parameters
    ----------
    y : array-like of shape (N, T) or (N, T, K), or list of array-likes, or Sequences
        Values beyond a sequence's length are ignored in a dense y. NaN and None stay what they
        are; in a list they may stand for all values of a sequence.
    sequences : Sequences
        The X that y belongs to.
    form : Form
        The form of that X.
    name, noun : str
        How error messages call the argument and its values.
    ignore_label : label, default=None
        A value that may be text among numbers, or a number among text.

    Raises
    ------
    ValueError
        If the number of sequences or of steps differs from X.
    """
    if isinstance(y, Sequences):
        y = y.to_list()
        y = [steps[:, 0] for steps in y] if y[0].shape[1] == 1 else y
    items = _items_of(y, name, noun)
    check_consistent_length(sequences.offsets[1:], items)
    lengths = sequences.lengths
    pieces = [_steps_of(item, length, name) for item, length in zip(items, lengths.tolist())]
    for i, (piece, length) in enumerate(zip(pieces, lengths)):
        padded = form.is_dense and len(piece) == form.n_steps
        if len(piece) != length and not padded:
            raise ValueError(f"sequence {i} has {length} steps but {len(piece)} {noun} in {name}")
    pieces = [piece[:length] for piece, length in zip(pieces, lengths)]
    refuse_mixed_types(pieces, name, ignore_label)
    if len({piece.dtype.kind in "US" for piece in pieces}) > 1:  # NaN must not become text
        pieces = [piece.astype(object) for piece in pieces]
    pieces = _in_columns(pieces)
    shapes = sorted({piece.shape[1:] for piece in pieces})
    if len(shapes) > 1 or any(0 in shape for shape in shapes):
        raise ValueError(
            f"{name} must hold one value for every step, or as many of them for each, at least "
            f"one; got steps of the shapes {', '.join(map(str, shapes))}"
        )
    return np.concatenate(pieces)


def _items_of(y: Any, name: str, noun: str) -> Any:
    refuse_masked(y, name)
    require_list(y, name, noun)
    array = np.asarray(y) if hasattr(y, "__array__") else y
    if isinstance(array, np.ndarray) and array.ndim < 2 and array.dtype != object:
        raise ValueError(
            f"{name} must hold one value per step: an array (N, T) or a list of arrays; "
            f"got an array of shape {array.shape}"
        )
    return array


def stands_for_all(item: Any) -> bool:
    """Whether None or NaN stands in the place of all targets of a sequence."""
    return item is None or (isinstance(item, float) and item != item)


def _steps_of(item: Any, length: int, name: str) -> np.ndarray:
    """Return the values of a sequence; None or NaN in their place is that many times None."""
    if stands_for_all(item):
        return np.full(length, None)
    steps = values_of(item, allow_missing=True)
    if steps.ndim == 0:
        raise ValueError(
            f"{name} must hold one value per step for every sequence; got the single value {item!r}"
        )
    return steps


def _in_columns(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """Return pieces, those without a value as wide as the others."""
    shapes = {piece.shape[1:] for piece in pieces if piece.ndim > 1}
    if len(shapes) != 1:
        return pieces
    shape = shapes.pop()
    return [
        np.full((len(p), *shape), None) if p.ndim == 1 and is_missing(p).all() else p
        for p in pieces
    ]


def require_targets(y: Any, estimator: Any) -> None:
    """Raise ValueError, in scikit-learn's words, if an estimator that needs y gets None."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )


def require_list(y: Any, name: str, noun: str | None = None) -> None:
    """Raise unless y lists an entry for each sequence; what has no order, or comes once, does not.

    Text would otherwise be taken for one value, or be read character by character.

    Parameters
    ----------
    y : array-like
    name : str
        The argument's name, for error texts.
    noun : str or None, default=None
        What an entry of y holds several of; None if an entry is one value.

    Raises
    ------
    TypeError
        If y is a mapping, a set, an iterator or a single object.
    ValueError
        If y is a string, or one of its entries is where they hold several values.
    """
    is_list = hasattr(y, "__array__") or hasattr(y, "__getitem__")
    is_single = getattr(y, "ndim", 1) == 0
    if isinstance(y, Mapping) or is_single or not is_list:
        what = "an array without dimensions" if is_single else type(y).__name__
        raise TypeError(f"{name} must be an array, a series or a list, got {what}")
    what, text = "an entry", y
    if not isinstance(y, (str, bytes)):
        shape = getattr(y, "shape", None)
        one_dimension = hasattr(y, "__len__") if shape is None else len(shape) == 1
        if noun is None or not one_dimension or len(y) == 0:
            return
        what, text = f"a list of {noun}", next(iter(y))
    if isinstance(text, (str, bytes)):
        raise ValueError(
            f"{name} must hold {what} for every sequence, got the string {text[:40]!r}; give a "
            f"list, such as list({text[:10]!r}) if every character is one"
        )


def values_of(y: Any, *, allow_missing: bool = False) -> np.ndarray:
    """Return targets as an array, those of a nullable column in the dtype of its values.

    Raises
    ------
    ValueError
        If a nullable column misses a value, unless it may.
    """
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if dtype is None or dtype.kind not in "iub":
        return label_array(y)
    if y.isna().any():
        if allow_missing:
            return np.asarray(y.astype(object))
        raise ValueError("Input y contains NaN.")
    values: np.ndarray = y.to_numpy(dtype)
    return values


def refuse_mixed_types(pieces: list[np.ndarray], name: str, ignore_label: Any = None) -> None:
    """Raise ValueError if values are text and others at once.

    NaN, None and the label to be ignored are neither.
    """
    if len(text_and_other(pieces, ignore_label)) > 1:
        raise ValueError(f"{name} mixes text and numbers")


def read_weights(
    sample_weight: Any, sequences: Sequences, form: Form, *, per_step: bool, is_part: bool = False
) -> np.ndarray | None:
    """Check sample weights and arrange them like the targets.

    Parameters
    ----------
    sample_weight : array-like of shape (N,), or like a per-step y, or None
        Weights of whole sequences; with `per_step`, weights of steps are allowed too.
    sequences : Sequences
    form : Form
    per_step : bool
        Whether the targets are per step.
    is_part : bool, default=False
        Whether they are a part of more weights: all may be zero then, and they stay in their unit.

    Returns
    -------
    ndarray of shape (N,), or (ΣT,) with `per_step`, float64; or None

    Raises
    ------
    TypeError, ValueError
        If weights are no real numbers, shapes do not fit, a weight is negative or not finite, or
        all are zero.
    """
    if sample_weight is None:
        return None
    if not isinstance(sample_weight, (str, bytes)) and (
        np.isscalar(sample_weight) or getattr(sample_weight, "ndim", 1) == 0
    ):
        raise ValueError(
            f"sample_weight must have shape ({len(sequences)},), got the scalar {sample_weight!r}"
        )
    require_list(sample_weight, "sample_weight", "weights")
    if hasattr(sample_weight, "__array__"):
        sample_weight = as_array(sample_weight, "sample_weight")
    refuse_masked(sample_weight, "sample_weight")
    nested = _is_nested(sample_weight)
    if nested and not per_step:
        raise ValueError("sample_weight must hold one weight per sequence, got several")
    if nested:
        sample_weight = flatten_steps(sample_weight, sequences, form, "sample_weight", "weights")
    n = int(sequences.offsets[-1]) if nested else len(sequences)
    numbers = convert_values(np.asarray(sample_weight), "sample_weight", np.float64)
    weights: np.ndarray = _check_sample_weight(
        numbers,
        np.empty((n, 0)),
        dtype=np.float64,
        ensure_non_negative=True,
        copy=is_part,
        allow_all_zero_weights=is_part,
    )
    weights = weights if is_part else moderate(weights)
    return np.repeat(weights, sequences.lengths) if per_step and not nested else weights


def moderate(weights: np.ndarray) -> np.ndarray:
    """Return weights so that sums of them fit float32: extreme ones times a power of two.

    Only ratios of weights count, and those a power of two keeps.
    """
    exponent = int(np.frexp(weights.max(initial=0.0))[1])
    if abs(exponent) <= SAFE_EXPONENT:
        return weights
    moderated: np.ndarray = np.ldexp(weights, -exponent)
    return moderated


def _is_nested(sample_weight: Any) -> bool:
    if isinstance(sample_weight, Sequences):
        return True
    if hasattr(sample_weight, "ndim"):
        array = np.asarray(sample_weight)
        return array.ndim >= 2 or (array.dtype == object and any(map(np.ndim, array)))
    return not all(np.isscalar(weight) or np.ndim(weight) == 0 for weight in sample_weight)
