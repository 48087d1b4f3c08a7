"""What calls of a forecaster are given beside series: steps ahead, probabilities, what is static.

Letters: N series, P covariates.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rnnkit.estimators.forecasting.profile import spread_of
from rnnkit.estimators.forecasting.series import SeriesForm, refuse_other_index
from rnnkit.estimators.targets import read_weights
from rnnkit.preprocessing.naming import check_feature_names, feature_names_of
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import convert_values

__all__ = [
    "in_units",
    "names_of",
    "read_importance",
    "read_levels",
    "read_static",
    "read_steps",
    "refuse_other_names",
    "units_of",
]


def read_steps(fh: Any) -> np.ndarray | None:
    """Return steps ahead as an array; None where none are given."""
    if fh is None:
        return None
    given = np.asarray(fh.to_numpy() if hasattr(fh, "to_numpy") else fh)
    steps = np.atleast_1d(given)
    if steps.ndim != 1 or not len(steps) or steps.dtype.kind not in "iu" or steps.min() < 1:
        raise ValueError(f"fh must be an integer of at least 1 or an array of such, got {fh!r}")
    return steps.astype(np.intp)


def read_levels(given: Any, name: str) -> np.ndarray:
    """Return probabilities as an array."""
    try:
        levels = np.atleast_1d(np.asarray(given, np.float64))
    except (TypeError, ValueError):
        levels = np.empty(0)
    if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"{name} must be a number in (0, 1) or a list of such, got {given!r}")
    return levels


def names_of(given: Any) -> list[str] | None:
    """Return the names of columns of a frame, the frames of a list or `Sequences`; None without.

    Raises
    ------
    TypeError
        If text and other names are mixed.
    """
    names = feature_names_of(given, Form.of(given))
    return None if names is None else [str(name) for name in names]


def refuse_other_names(learnt: list[str] | None, given: Any, name: str, estimator: str) -> None:
    """Compare names of columns with those of `fit` as scikit-learn does.

    Parameters
    ----------
    learnt : list of str or None
        What `names_of` returned in `fit`.
    given : as in `fit`
    name, estimator : str
        What the argument and the class of the estimator are called, for texts.

    Raises
    ------
    ValueError
        If there are others, or they come in another order.

    Warns
    -----
    UserWarning
        If only one of both has names.
    """
    found = names_of(given)
    if learnt is None or found is None:
        if found is not None:
            warnings.warn(
                f"{name} has feature names, but {estimator} was fitted without feature names",
                stacklevel=3,
            )
        if learnt is not None:
            warnings.warn(
                f"{name} does not have valid feature names, but {estimator} was fitted with "
                "feature names",
                stacklevel=3,
            )
        return
    fitted = type(estimator, (), {"feature_names_in_": np.array(learnt, dtype=object)})()
    try:
        check_feature_names(fitted, given, Form.of(given), reset=False)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def read_static(static: Any, form: SeriesForm, n: int) -> np.ndarray:
    """Return what does not change within the series, (N, P)."""
    array = np.asarray(static.to_numpy() if hasattr(static, "to_numpy") else static)
    array = convert_values(array, "static_covariates", np.float64).copy()  # which is kept
    if form.kind == "one" and array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or len(array) != n or not array.shape[1] or not np.isfinite(array).all():
        raise ValueError(
            f"static_covariates must hold finite numbers of shape ({n}, P), got shape {array.shape}"
        )
    return array


def read_importance(
    given: Any, form: SeriesForm, lengths: list[int], indices: list[Any]
) -> list[np.ndarray]:
    """Return how much each step of every series counts, (T_i,).

    Parameters
    ----------
    given : as the `sample_weight` of `fit`
    form : SeriesForm
        That of y.
    lengths : list of N int
        Steps of each series.
    indices : list of N
        The labels of these steps: pandas indices, or None.

    Raises
    ------
    TypeError, ValueError
        If it is no number of at least 0 for each step, or for each of many series; or if steps have
        other labels.
    """
    places = Sequences(np.empty((sum(lengths), 0)), np.concatenate([[0], np.cumsum(lengths)]))
    if form.kind == "one":
        steps = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
        if steps.shape != (lengths[0],):
            raise ValueError(f"sample_weight must have shape ({lengths[0]},), got {steps.shape}")
        refuse_other_index(given, "sample_weight", form, 0, indices[0])
        given = [steps]
    elif isinstance(given, (list, tuple)) and len(given) == len(indices):
        for i, (item, index) in enumerate(zip(given, indices)):
            refuse_other_index(item, "sample_weight", form, i, index)
    # Later ones stand beside them, in the same unit.
    flat: Any = read_weights(given, places, Form.of([]), per_step=True, is_part=True)
    return np.split(flat, np.cumsum(lengths)[:-1])


def units_of(arrays: list[np.ndarray] | None) -> np.ndarray | None:
    """Return mean and standard deviation of the columns of all arrays, (2, P)."""
    if arrays is None:
        return None
    together = np.concatenate(arrays)
    spread = spread_of(together)
    return np.stack([together.mean(axis=0), np.where(spread > 0, spread, 1.0)])


def in_units(values: np.ndarray, units: Any) -> np.ndarray:
    scaled: np.ndarray = (values - units[0]) / units[1]
    return scaled
