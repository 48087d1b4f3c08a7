"""X, per-step y and sample weights as the user gives them, and results given back alike.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, validate_data

from rnnkit.sequences import Sequences

__all__ = [
    "InputForm",
    "flatten_steps",
    "read_sequences",
    "read_weights",
    "refuse_mixed_types",
    "split_steps",
]


@dataclass(frozen=True)
class InputForm:
    """The form in which X was given.

    Parameters
    ----------
    kind : {"rows", "array", "ragged"}
        Two dimensions, three dimensions, or a list, object array or `Sequences`.
    n_steps : int
        T of a dense form, 0 for ragged.
    """

    kind: str
    n_steps: int = 0

    @property
    def dense(self) -> bool:
        """Whether every sequence takes the same room."""
        return self.kind != "ragged"

    def restore(self, steps: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Give per-step values (ΣT, ...) back in the form of X.

        Dense: (N, T, ...), holding the dtype's zero beyond a sequence's length (None for
        objects). Ragged: a 1-D object array of N arrays (T_i, ...).
        """
        if not self.dense:
            return split_steps(steps, offsets)
        lengths = np.diff(offsets)
        if np.all(lengths == self.n_steps):
            return steps.reshape(len(lengths), self.n_steps, *steps.shape[1:])
        padded = np.zeros((len(lengths), self.n_steps, *steps.shape[1:]), steps.dtype)
        if steps.dtype == object:
            padded[:] = None
        padded[np.arange(self.n_steps) < lengths[:, None]] = steps
        return padded


def split_steps(steps: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Cut per-step values (ΣT, ...) into a 1-D object array of one array per sequence."""
    pieces = np.empty(len(offsets) - 1, dtype=object)
    for i in range(len(pieces)):
        pieces[i] = steps[offsets[i] : offsets[i + 1]]
    return pieces


def read_sequences(
    estimator: Any, X: Any, lengths: Any, *, reset: bool, allow_empty: bool = False
) -> tuple[Sequences, InputForm]:
    """Read X in any of its four forms and set, or check, the number of features.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` with ``reset=True``.
    X : array-like, data frame, list or Sequences
        A 3-D array (N, T, I), a 2-D array or frame (N, T·I), a list of arrays, or Sequences.
    lengths : array-like of shape (N,) or None
        The steps of every sequence of a dense X.
    reset : bool
        Whether this is the first data the estimator sees.
    allow_empty : bool, default=False
        Whether a sequence may have no steps.

    Returns
    -------
    sequences : Sequences
    form : InputForm

    Raises
    ------
    TypeError, ValueError
        If X is not one of these, or does not fit what the estimator was fitted with.
    """
    X, form = _recognize(X, rows_known=not reset and estimator._fitted_on_rows)
    tokens = estimator.embedding_dim is not None
    sequences = Sequences.from_any(
        X,
        lengths,
        estimator.step_features,
        "X",
        dtype="tokens" if tokens else None,
        allow_empty=allow_empty,
    )
    if form.kind == "rows":
        form = InputForm("rows", np.shape(X)[1] // estimator.step_features)
    if form.kind == "rows" and (reset or estimator._has_fixed_columns(np.shape(X)[1])):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    elif reset:
        _forget_feature_names(estimator)
        estimator.n_features_in_ = sequences.n_features
    elif sequences.n_features != estimator._n_step_features:
        raise ValueError(
            f"X has {sequences.n_features} features, but {type(estimator).__name__} "
            f"is expecting {estimator._n_step_features} features as input."
        )
    if reset:
        estimator._fitted_on_rows = form.kind == "rows"
        estimator._n_step_features = sequences.n_features
    return sequences, form


def _recognize(X: Any, rows_known: bool) -> tuple[Any, InputForm]:
    """Tell which form X has; a list of equally long lists of numbers is a 2-D array.

    Once fitted, such a list is read as what the estimator was fitted with: `rows_known`.
    """
    if isinstance(X, Sequences):
        return X, InputForm("ragged")
    if hasattr(X, "__array__") and not hasattr(X, "shape"):
        X = np.asarray(X)
    shape = getattr(X, "shape", None)
    if isinstance(shape, tuple):
        if len(shape) == 3:
            return X, InputForm("array", shape[1])
        return X, InputForm("rows" if len(shape) == 2 else "ragged")
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, (list, tuple)) for row in X):
        flat = all(np.isscalar(value) for row in X for value in row)
        if flat and (rows_known or len({len(row) for row in X}) == 1) and len(X[0]):
            return _as_rows(X), InputForm("rows")
    return X, InputForm("ragged")


def _as_rows(X: Any) -> Any:
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X must have rows of one length, as in fit, to be read as a 2-D array; "
            f"got rows of {sorted({len(row) for row in X})} columns"
        ) from error


def _forget_feature_names(estimator: Any) -> None:
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def flatten_steps(
    y: Any, sequences: Sequences, form: InputForm, name: str = "y", noun: str = "labels"
) -> np.ndarray:
    """Put per-step values of any form into one array (ΣT,) or (ΣT, K).

    Parameters
    ----------
    y : array-like of shape (N, T) or (N, T, K), or list of array-likes, or Sequences
        Values beyond a sequence's length are ignored in a dense y.
    sequences : Sequences
        The X that y belongs to.
    form : InputForm
        The form of that X.
    name, noun : str
        How error messages call the argument and its values.

    Raises
    ------
    ValueError
        If the number of sequences or of steps differs from X.
    """
    if isinstance(y, Sequences):
        y = y.to_list()
        y = [steps[:, 0] for steps in y] if y[0].shape[1] == 1 else y
    check_consistent_length(sequences.offsets[1:], y)
    pieces = [_steps_of(item) for item in _items_of(y, name)]
    lengths = sequences.lengths
    for i, (piece, length) in enumerate(zip(pieces, lengths)):
        padded = form.dense and len(piece) == form.n_steps
        if len(piece) != length and not padded:
            raise ValueError(f"sequence {i} has {length} steps but {len(piece)} {noun} in {name}")
    refuse_mixed_types(pieces, name)
    return np.concatenate([piece[:length] for piece, length in zip(pieces, lengths)])


def _items_of(y: Any, name: str) -> Any:
    array = np.asarray(y) if hasattr(y, "__array__") else y
    if isinstance(array, np.ndarray) and array.ndim < 2 and array.dtype != object:
        raise ValueError(
            f"{name} must hold one value per step: an array (N, T) or a list of arrays; "
            f"got an array of shape {array.shape}"
        )
    return array


def _steps_of(item: Any) -> np.ndarray:
    steps = np.asarray(item)
    if steps.ndim == 0:
        raise ValueError(
            f"y must hold one value per step for every sequence; got the single value {item!r}"
        )
    return steps


def refuse_mixed_types(pieces: list[np.ndarray], name: str) -> None:
    kinds = {"text" if p.dtype.kind in "US" else "other" for p in pieces if len(p)}
    if len(kinds) > 1:
        raise ValueError(f"{name} mixes text and numbers")


def read_weights(
    sample_weight: Any, sequences: Sequences, form: InputForm, *, per_step: bool
) -> np.ndarray | None:
    """Check sample weights and arrange them like the targets.

    Parameters
    ----------
    sample_weight : array-like of shape (N,), or like a per-step y, or None
        Weights of whole sequences; with `per_step`, weights of steps are allowed too.
    sequences : Sequences
    form : InputForm
    per_step : bool
        Whether the targets are per step.

    Returns
    -------
    ndarray of shape (N,), or (ΣT,) with `per_step`, float64; or None

    Raises
    ------
    ValueError
        If shapes do not fit, a weight is negative or not finite, or all are zero.
    """
    if sample_weight is None:
        return None
    if hasattr(sample_weight, "__array__"):
        sample_weight = np.asarray(sample_weight)
    if np.isscalar(sample_weight) or getattr(sample_weight, "ndim", 1) == 0:
        raise ValueError(
            f"sample_weight must have shape ({len(sequences)},), got the scalar {sample_weight!r}"
        )
    lengths = sequences.lengths
    nested = _is_nested(sample_weight)
    if nested and not per_step:
        raise ValueError("sample_weight must hold one weight per sequence, got several")
    if nested:
        steps = flatten_steps(sample_weight, sequences, form, "sample_weight", "weights")
        return _check_sample_weight(
            steps, np.empty((len(steps), 0)), dtype=np.float64, ensure_non_negative=True
        )
    weights = _check_sample_weight(
        sample_weight, np.empty((len(lengths), 0)), dtype=np.float64, ensure_non_negative=True
    )
    return np.repeat(weights, lengths) if per_step else weights


def _is_nested(sample_weight: Any) -> bool:
    if isinstance(sample_weight, Sequences):
        return True
    if hasattr(sample_weight, "ndim"):
        nested_objects = sample_weight.ndim == 1 and np.asarray(sample_weight).dtype == object
        return sample_weight.ndim >= 2 or nested_objects
    return len(sample_weight) > 0 and not np.isscalar(sample_weight[0])
