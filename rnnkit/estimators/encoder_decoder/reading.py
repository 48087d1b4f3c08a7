"""What X and y of an encoder-decoder hold: text in characters, tokens, or numbers.

A string is a sequence of its characters. Text, truth values and whole numbers (an integer dtype,
Python's int) are tokens; floating-point numbers are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from rnnkit.estimators.labels import check_label_values
from rnnkit.estimators.targets import refuse_mixed_types, values_of
from rnnkit.sequences import Sequences
from rnnkit.sequences.numbers import is_missing
from rnnkit.sequences.reading import refuse_masked

__all__ = ["WrittenTargets", "holds_text", "holds_tokens", "read_targets", "spelled"]

TOKENS = "biuUSO"  # kinds of dtypes


def holds_text(values: Any) -> bool:
    """Whether something is a list, an array or a series of strings."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__") or len(values) == 0:
        return False
    if getattr(values, "ndim", 1) != 1 or isinstance(values, (Sequences, dict)):
        return False
    return all(isinstance(item, str) for item in islice(iter(values), len(values)))


def spelled(X: Any, name: str = "X") -> Any:
    """Return strings as lists of their characters; anything else as it is.

    Raises
    ------
    ValueError
        If X is one string, not several.
    """
    if isinstance(X, (str, bytes)):
        raise ValueError(f"{name} must hold a sequence each, got the single string {X[:40]!r}")
    return [list(text) for text in X] if holds_text(X) else X


def holds_tokens(X: Any) -> bool:
    """Whether the values of an X whose strings are spelled are tokens, by their dtype."""
    if isinstance(X, Sequences):
        return X.categories is not None or X.values.dtype.kind in TOKENS
    if hasattr(X, "dtypes") or hasattr(X, "schema"):  # a frame
        return np.asarray(X).dtype.kind in TOKENS
    if hasattr(X, "dtype") and X.dtype != object:
        return np.dtype(getattr(X.dtype, "numpy_dtype", X.dtype)).kind in TOKENS
    if not hasattr(X, "__len__"):
        return False
    kinds = {_kind_of(item) for item in X}
    return bool(kinds) and None not in kinds


def _kind_of(item: Any) -> str | None:
    """Return the kind of a sequence of tokens; None for one of numbers."""
    if hasattr(item, "dtype") and item.dtype != object:
        kind: str = np.dtype(item.dtype).kind
    elif len(np.shape(item)) == 0 or len(item) == 0:
        return "O" if np.shape(item) else None
    else:
        flat = np.asarray(item, dtype=object).ravel().tolist()
        if any(isinstance(v, (float, np.floating)) and v == v for v in flat):
            return "O" if any(isinstance(v, str) for v in flat) else None
        return "O"
    return kind if kind in TOKENS else None


@dataclass(frozen=True, eq=False)
class WrittenTargets:
    """The targets of N sequences as they were given.

    Parameters
    ----------
    pieces : list of ndarray of shape (U_i,), or (U_i, K) of numbers
    are_numbers : bool
    as_text : bool
        Whether they were strings, whose characters are the labels.
    is_dense : bool
        Whether they came in one array.
    """

    pieces: list[np.ndarray]
    are_numbers: bool
    as_text: bool
    is_dense: bool

    def __len__(self) -> int:
        return len(self.pieces)


def read_targets(y: Any, n: int, targets: str) -> WrittenTargets:
    """Read y of N sequences.

    Parameters
    ----------
    y : list of str, list of array-likes, array (N, U) or (N, U, K), or Sequences
    n : int
        N.
    targets : {"auto", "labels", "numbers"}
        What they hold.

    Raises
    ------
    ValueError
        If there are not N, an entry is no sequence, or a label is missing.
    """
    refuse_masked(y, "y")
    if isinstance(y, (str, bytes)):
        raise ValueError(f"y must hold a sequence each, got the single string {y[:40]!r}")
    as_text = holds_text(y)
    given: Any = [list(text) for text in y] if as_text else y
    if isinstance(y, Sequences):
        given = [steps[:, 0] if steps.shape[1] == 1 else steps for steps in y]
    elif hasattr(y, "__array__") and not as_text:
        given = np.asarray(y)
    if not hasattr(given, "__len__") or np.ndim(given[:1]) < 1 or _is_flat(given):
        shape = getattr(given, "shape", (len(given),) if hasattr(given, "__len__") else ())
        raise ValueError(
            "y must hold a sequence for every sequence of X: strings, a list of lists or arrays, "
            f"or an array (N, U), got one value each, shape {tuple(shape)}"
        )
    if len(given) != n:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n, len(given)]}"
        )
    pieces = [values_of(piece) for piece in given]
    kinds = {piece.dtype.kind for piece in pieces if len(piece)}
    are_numbers = targets == "numbers" or (targets == "auto" and bool(kinds) and "f" in kinds)
    if are_numbers:
        return WrittenTargets(_numbers(pieces), True, False, isinstance(given, np.ndarray))
    for i, piece in enumerate(pieces):
        if piece.ndim != 1 and piece.size:
            raise ValueError(
                f"y must hold a list of labels each; y[{i}] has {piece.ndim} dimensions"
            )
    pieces = [piece.reshape(-1) for piece in pieces]
    refuse_mixed_types(pieces, "y")
    whole = np.concatenate([piece for piece in pieces if len(piece)] or pieces)
    if whole.dtype == object and is_missing(whole).any():
        raise ValueError("y must not hold missing labels, got None or NaN")
    check_label_values(whole)
    return WrittenTargets(pieces, False, as_text, isinstance(given, np.ndarray))


def _is_flat(given: Any) -> bool:
    """Whether there is one value for every sequence."""
    if isinstance(given, np.ndarray) and given.dtype != object:
        return given.ndim < 2
    return any(np.ndim(piece) == 0 for piece in given)


def _numbers(pieces: list[np.ndarray]) -> list[np.ndarray]:
    numbers = []
    for i, piece in enumerate(pieces):
        try:
            values = np.asarray(piece, np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"y[{i}] must hold numbers, got {piece[:1].tolist()!r:.60}") from None
        if values.ndim not in (1, 2):
            raise ValueError(f"y[{i}] must be numbers (U,) or (U, K), got shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"Input y contains NaN or infinity: y[{i}]")
        numbers.append(values)
    shapes = {piece.shape[1:] for piece in numbers}
    if len(shapes) > 1:
        raise ValueError(f"y must hold equally many numbers at every step, got {sorted(shapes)}")
    return numbers
