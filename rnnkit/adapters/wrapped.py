"""The estimator inside an adapter: which one it is, its seed, what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags

__all__ = ["accepts_missing", "fresh", "missing_library"]

LARGEST_SEED = np.iinfo(np.int32).max


def missing_library(error: ImportError, library: str) -> bool:
    """Whether an import failed because the library is not installed, not because it is broken.

    Parameters
    ----------
    error : ImportError
    library : str
        What was imported.
    """
    return (error.name or "").split(".")[0] == library


def fresh(
    estimator: Any,
    default: Callable[[], Any],
    is_kind: Callable[[Any], bool],
    kind: str,
    random_state: Any,
) -> Any:
    """Return an unfitted copy of the estimator that a user gave, seeded.

    Parameters
    ----------
    estimator : estimator or None
        None: `default`.
    default : callable
        Makes what is taken in its place.
    is_kind : callable
        Whether an estimator is of the kind.
    kind : str
        Its name, for the error text.
    random_state : int, RandomState instance or None
        An integer goes into every `random_state` among the parameters, a RandomState draws one
        for each; None leaves them as they are.

    Raises
    ------
    TypeError
        If it is none of scikit-learn's kind, or of another kind.
    """
    if estimator is None:
        copy = default()
    elif isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"estimator must be a {kind}, got {estimator!r}")
    elif not is_kind(estimator):
        raise TypeError(f"estimator must be a {kind}, got {type(estimator).__name__}")
    else:
        copy = clone(estimator)
    if random_state is not None:
        _seed(copy, random_state)
    return copy


def _seed(estimator: Any, random_state: Any) -> None:
    names = [
        name
        for name in sorted(estimator.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    if isinstance(random_state, np.random.RandomState):
        seeds = check_random_state(random_state).randint(LARGEST_SEED, size=len(names)).tolist()
    else:
        seeds = [random_state] * len(names)
    estimator.set_params(**dict(zip(names, seeds)))


def accepts_missing(estimator: Any) -> bool:
    """Whether an estimator takes NaN: by its tag, of a pipeline up to the step that fills it in.

    Parameters
    ----------
    estimator : estimator or None
        A search, or whatever else has an `estimator`, is looked through.
    """
    if estimator is None or isinstance(estimator, type):
        return False
    if isinstance(getattr(estimator, "steps", None), list):
        steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        filling = next((i for i, step in enumerate(steps) if _is_imputer(step)), len(steps) - 1)
        return bool(steps) and all(map(accepts_missing, steps[: filling + 1]))
    inner = getattr(estimator, "estimator", None)
    if inner is not None:
        return accepts_missing(inner)
    try:
        return bool(get_tags(estimator).input_tags.allow_nan)
    except (AttributeError, TypeError):  # what is no estimator is refused at fit, by name
        return False


def _is_imputer(step: Any) -> bool:
    """Whether a step fills in what is missing: an imputer, or one put over the steps."""
    return type(getattr(step, "scaler", step)).__name__.endswith("Imputer")
