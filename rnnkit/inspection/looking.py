"""What a display looks at: a fitted network of rnnkit, and sequences as it takes them.

Letters: N sequences, T steps, F columns of a step.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import is_device_name
from rnnkit.estimators.devices import downloaded
from rnnkit.estimators.fitted import FittedEstimator
from rnnkit.estimators.transaction import at_this_moment
from rnnkit.estimators.within import fitted_within
from rnnkit.network import Adversarial
from rnnkit.sequences import Form, Sequences

__all__ = [
    "Look",
    "column_names",
    "fitted_network",
    "look_at",
    "place_of",
    "places_of",
    "sequences_of",
    "words_of",
]


def fitted_network(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """Return the recurrent estimator inside, at this moment, and X as it takes it.

    Parameters
    ----------
    estimator : estimator
        A fitted one of rnnkit, or what holds one: a Pipeline that ends in it, whose other steps
        transform X; a search; `FrozenEstimator`; what keeps one as `estimator_` or `regressor_`,
        such as `RecurrentFeatures` and `TransformedTargetSequenceRegressor`.
    X : array-like, data frame, list of arrays or Sequences, default=None
        As `estimator.predict` takes it; None: none is needed.

    Raises
    ------
    TypeError
        If there is no recurrent estimator inside, or X is to be shown to two networks in one.
    NotFittedError
        If it is not fitted.
    """
    outermost = estimator
    estimator, transformers = fitted_within(outermost)
    if not isinstance(estimator, FittedEstimator):
        raise TypeError(
            "estimator must be a recurrent estimator of rnnkit, or a Pipeline or search "
            f"that ends in one, got {outermost!r}"
        )
    check_is_fitted(estimator, "network_")
    if X is not None:
        if isinstance(estimator.network_, Adversarial):
            raise TypeError(
                f"no display looks into a {type(estimator).__name__}: it is two networks, of which "
                "one reads noise; look at what sample and decision_function give"
            )
        if is_device_name(estimator.device):
            X = downloaded(X)
        for steps in transformers:
            X = steps.transform(X)
    return at_this_moment(estimator), X


@dataclass(frozen=True)
class Look:
    """One sequence and the fitted estimator that reads it.

    Parameters
    ----------
    estimator : estimator
        Of rnnkit, fitted, at this moment.
    sequence : Sequences
        The one sequence, read as the estimator reads it.
    words : list of str or None
        The tokens of the sequence, if X is one of texts.
    """

    estimator: Any
    sequence: Sequences
    words: list[str] | None

    @property
    def n_steps(self) -> int:
        """T."""
        return int(self.sequence.offsets[-1])

    def inputs(self) -> Any:
        """Return the steps as the network takes them."""
        return self.estimator._reader.inputs(self.sequence)

    def apply(self, operation: Any) -> np.ndarray:
        """Run an operation that gives a row (T, ·) for each step."""
        rows: np.ndarray = self.estimator._apply(self.sequence, operation, per_step=True)
        return rows


def sequences_of(fitted: Any, X: Any, lengths: Any) -> Sequences:
    """Return X as a fitted recurrent estimator reads it.

    Raises
    ------
    TypeError, ValueError
        If X is not as in `fit`.
    """
    if is_device_name(fitted.device):
        lengths = downloaded(lengths)
    sequences: Sequences = fitted._read_new(X, lengths)[0]
    return sequences


def look_at(estimator: Any, X: Any, index: Any, lengths: Any = None) -> Look:
    """Return one sequence of X with the estimator that reads it.

    Parameters
    ----------
    estimator, X
        As in `fitted_network`.
    index : int
        Which sequence, counted from 0; negative from the end.
    lengths : array-like of shape (N,), default=None
        Steps of every sequence of a dense X.

    Raises
    ------
    TypeError, ValueError
        If X is not as in `fit`, or there is no such sequence, or it has no steps.
    """
    fitted, inner = fitted_network(estimator, X)
    sequences = sequences_of(fitted, inner, lengths)
    place = place_of(index, len(sequences))
    one = sequences[place : place + 1]
    if not one.offsets[-1]:
        raise ValueError(f"sequence {index} of X is empty; there is nothing to show")
    return Look(fitted, one, words_of(X, place, int(one.offsets[-1])))


def place_of(index: Any, n: int, name: str = "index") -> int:
    """Return the place, from 0, of one of n things that a user names by an integer.

    Raises
    ------
    TypeError, ValueError
        If it is no integer, or there is no such thing.
    """
    if isinstance(index, (bool, np.bool_)) or not hasattr(index, "__index__"):
        raise TypeError(f"{name} must be an integer, got {index!r}")
    place = operator.index(index)
    if not n:
        raise ValueError(f"there is no {name} to be named, got {index!r}")
    if not -n <= place < n:
        raise ValueError(f"{name} must lie between {-n} and {n - 1}, got {index!r}")
    return place % n


def places_of(indices: Any, n: int, most: int) -> list[int]:
    """Return the places of those of n sequences that a user names; None: the first ones.

    Raises
    ------
    TypeError, ValueError
        If these are no integers, or there is no such sequence.
    """
    if indices is None:
        return list(range(min(n, most)))
    named = [indices] if np.ndim(indices) == 0 else list(indices)
    if not named:
        raise ValueError("indices must name at least one sequence, got none")
    return [place_of(index, n, "indices") for index in named]


def words_of(X: Any, place: int, n_steps: int) -> list[str] | None:
    """Return the tokens of a sequence of X if they are strings, one for each step; else None."""
    if Form.of(X).kind not in ("list", "objects"):
        return None
    sequence = (X if isinstance(X, (list, tuple)) else np.asarray(X))[place]
    if np.ndim(sequence) > 1 or len(sequence) != n_steps:
        return None
    words = list(sequence)
    return [str(word) for word in words] if all(isinstance(w, str) for w in words) else None


def column_names(fitted: Any) -> list[str]:
    """Return a name for each column of a step, its position where it has none."""
    n = fitted._reader.n_step_features
    return [str(fitted._reader.called(column)[-1]) for column in range(n)]
