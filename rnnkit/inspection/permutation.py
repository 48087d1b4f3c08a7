"""How much of a score hangs on a feature, or on a part of the sequences: both are shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state

from rnnkit.sequences import Form, Sequences

__all__ = ["permutation_importance"]

OF = ("features", "windows", "both")


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    of: str = "features",
    n_windows: int = 10,
    scoring: Any = None,
    n_repeats: int = 5,
    sample_weight: Any = None,
    step_features: int = 1,
    random_state: Any = None,
) -> Bunch:
    """Tell how much a score falls when features, or parts of the sequences, come from others.

    In each repetition every sequence gets the values of another one, drawn without replacement: of
    one feature at all steps, of all features in one window of steps, or of one feature in one
    window. Where lengths differ, the step at the same part of the other sequence is taken, so a
    feature stays a course in time. What falls little is not needed, or is told by other features or
    steps too.

    Parameters
    ----------
    estimator : estimator
        Fitted; any that takes X, such as a pipeline or a search.
    X : array-like, data frame, list of arrays or Sequences
        In any form that `estimator` takes, best not that of `fit`. Of a padded array, which needs
        lengths, give a list or Sequences.
    y : array-like
        Targets, as `estimator.score` takes them.
    of : {"features", "windows", "both"}, default="features"
        What is shuffled.
    n_windows : int, default=10
        Into how many parts sequences are cut, each from its first to its last step; one with fewer
        steps is not changed in as many of them.
    scoring : str or callable, default=None
        As in scikit-learn; None: `estimator.score`. `rnnkit.metrics` has scorers per step.
    n_repeats : int, default=5
        How many times each is shuffled.
    sample_weight : array-like, default=None
        Weights in the score.
    step_features : int, default=1
        Features F of a step, where a sequence is given as one row of numbers.
    random_state : int, RandomState instance or None, default=None
        Draws who gets whose values: in each repetition the same for all features and windows.

    Returns
    -------
    Bunch
        `importances`, an array of shape (F, `n_repeats`), (`n_windows`, `n_repeats`) or
        (F, `n_windows`, `n_repeats`): how much the score falls. Their mean and deviation over the
        repetitions are `importances_mean` and `importances_std`; `score` is that of X itself.

    Raises
    ------
    TypeError
        If X is a frame other than one of pandas.
    ValueError
        If there are less than two sequences, `scoring` is not one score, or a parameter is not
        allowed.

    Notes
    -----
    Breiman 2001 shuffles the columns of a table; scikit-learn's function of this name does, which
    takes no sequences. A shuffled window does not fit the steps around it, which a network has not
    seen in training: small differences between windows mean little.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.inspection import permutation_importance
    >>> rng = np.random.RandomState(0)
    >>> X = [rng.normal(size=(length, 3)) for length in rng.randint(8, 15, size=200)]
    >>> y = [bool(x[-2:, 1].sum() > 0) for x in X]  # of the second feature, the last steps
    >>> model = GRUClassifier(8, learning_rate_init=0.05, random_state=0).fit(X[:100], y[:100])
    >>> found = permutation_importance(model, X[100:], y[100:], random_state=0)
    >>> int(found.importances_mean.argmax())
    1
    >>> found = permutation_importance(
    ...     model, X[100:], y[100:], of="windows", n_windows=4, random_state=0
    ... )
    >>> int(found.importances_mean.argmax())
    3
    """
    if of not in OF:
        raise ValueError(f"of must be one of {list(OF)}, got {of!r}")
    counts = {"n_windows": n_windows, "n_repeats": n_repeats, "step_features": step_features}
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(f"scoring must be the name of one score or a callable, got {scoring!r}")
    values, offsets, rebuilt = _taken_apart(X, step_features)
    n_sequences = len(offsets) - 1
    if n_sequences < 2:
        raise ValueError(f"X must hold two sequences or more to shuffle, got {n_sequences}")
    scorer = check_scoring(estimator, scoring)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    score = float(scorer(estimator, X, y, **weights))
    parts = list(_parts(of, values.shape[1], _window_of_steps(offsets, n_windows), n_windows))
    rng = check_random_state(random_state)
    falls: np.ndarray = np.empty((len(parts), n_repeats))
    for repeat in range(n_repeats):
        others = values[_steps_of_others(offsets, rng.permutation(n_sequences))]
        for i, (rows, columns) in enumerate(parts):
            shuffled = values.copy()
            shuffled[rows, columns] = others[rows, columns]
            falls[i, repeat] = score - scorer(estimator, rebuilt(shuffled), y, **weights)
    if of == "both":
        falls = falls.reshape(values.shape[1], n_windows, n_repeats)
    return Bunch(
        importances=falls,
        importances_mean=falls.mean(axis=-1),
        importances_std=falls.std(axis=-1),
        score=score,
    )


def _parts(
    of: str, n_features: int, windows: np.ndarray, n_windows: int
) -> Iterator[tuple[Any, Any]]:
    """Give the rows and the column of `values` of everything that is shuffled by itself."""
    everything = slice(None)
    columns = [everything] if of == "windows" else range(n_features)
    rows = [everything] if of == "features" else [windows == w for w in range(n_windows)]
    for column in columns:
        for row in rows:
            yield row, column


def _window_of_steps(offsets: np.ndarray, n_windows: int) -> np.ndarray:
    """Return in which part of its sequence each step is."""
    lengths = np.diff(offsets)
    step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    window: np.ndarray = step * n_windows // np.repeat(lengths, lengths)
    return window


def _steps_of_others(offsets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each step that at the same part of the sequence given for its own."""
    lengths = np.diff(offsets)
    others = np.where(lengths[others] > 0, others, np.arange(len(others)))
    own = np.repeat(lengths, lengths)
    step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    there = (2 * step + 1) * np.repeat(lengths[others], lengths) // (2 * own)
    place: np.ndarray = there + np.repeat(offsets[:-1][others], lengths)
    return place


def _taken_apart(
    X: Any, step_features: int
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], Any]]:
    """Return the steps (ΣT, F), where each sequence starts, and what makes an X of such steps."""
    form = Form.of(X, step_features)
    if form.kind == "sequences":
        labels = X._columns

        def as_sequences(values: np.ndarray) -> Any:
            return Sequences(values, X.offsets, X.ids)._with(labels)

        return X.values, X.offsets, as_sequences
    if form.is_dense:
        array = _array_of(X)
        n_sequences = len(array)
        if array.ndim == 2 and array.shape[1] % step_features:
            raise ValueError(
                f"X has {array.shape[1]} columns, which step_features={step_features} does not "
                "divide"
            )
        width = array.shape[2] if array.ndim == 3 else step_features
        values = array.reshape(-1, width)
        offsets = np.arange(n_sequences + 1) * (len(values) // max(n_sequences, 1))
        return values, offsets, lambda values: _like(X, values.reshape(array.shape))
    arrays = [_array_of(x) for x in X]
    offsets = np.cumsum([0, *map(len, arrays)])
    steps = [array.reshape(len(array), -1) for array in arrays if len(array)]
    values = np.concatenate(steps) if steps else np.empty((0, 1))

    def as_items(values: np.ndarray) -> Any:
        pieces = np.empty(len(arrays), dtype=object)
        for i, array in enumerate(arrays):
            pieces[i] = _like(X[i], values[offsets[i] : offsets[i + 1]].reshape(array.shape))
        return pieces if form.kind == "objects" else list(pieces)

    return values, offsets, as_items


def _array_of(given: Any) -> np.ndarray:
    if hasattr(given, "columns") and not hasattr(given, "iloc"):
        raise TypeError(
            f"X must hold arrays or pandas frames, got {type(given).__module__}."
            f"{type(given).__qualname__}"
        )
    return np.asarray(given)


def _like(given: Any, values: np.ndarray) -> Any:
    """Return values as what was given: a frame with its names, a list, or an array."""
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        return type(given)(values, index=given.index, columns=given.columns)
    return values.tolist() if isinstance(given, (list, tuple)) else values
