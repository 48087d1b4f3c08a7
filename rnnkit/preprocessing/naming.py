"""Names of columns: learnt in `fit` and compared in every later call, as scikit-learn does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names, _get_feature_names

from rnnkit.sequences import Form

__all__ = ["check_feature_names", "feature_names_of"]

TOLD = 5  # names of each kind that a refusal tells


def feature_names_of(X: Any, form: Form) -> np.ndarray | None:
    """Return the names of the columns of X; None if it has none, or they are not all text.

    Parameters
    ----------
    X : array-like, frame, list or Sequences
    form : Form
        The form of X: one frame, a list of frames and `Sequences` have names.

    Raises
    ------
    TypeError
        If a frame has some names that are text and others that are not.
    """
    if form.kind != "sequences":
        frame_names: np.ndarray | None = _get_feature_names(form.named(X))
        return frame_names
    names = X.columns or ()
    texts = bool(names) and all(isinstance(name, str) for name in names)
    return np.array([str(name) for name in names], dtype=object) if texts else None


def check_feature_names(estimator: Any, X: Any, form: Form, *, reset: bool) -> None:
    """Learn the names of the columns of X, or compare them with those that were learnt.

    scikit-learn does it for frames; `Sequences` are compared here, in the same words.

    Parameters
    ----------
    estimator : estimator
        Whose `feature_names_in_` is set, deleted or compared.
    X : array-like, frame, list or Sequences
    form : Form
        The form of X.
    reset : bool
        Whether to learn them.

    Raises
    ------
    ValueError
        If they are others, or in another order.

    Warns
    -----
    UserWarning
        If either X or the X of `fit` has names and the other has none.
    """
    names = feature_names_of(X, form) if form.kind == "sequences" else None
    if names is None:
        _check_feature_names(estimator, form.named(X), reset=reset)
        return
    if reset:
        estimator.feature_names_in_ = names
        return
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is None:
        warnings.warn(
            f"X has feature names, but {type(estimator).__name__} was fitted without feature names",
            UserWarning,
            stacklevel=2,
        )
    elif list(names) != list(fitted):
        raise ValueError(_difference(set(names), set(fitted)))


def _difference(found: set[str], fitted: set[str]) -> str:
    lines = ["The feature names should match those that were passed during fit."]
    for heading, names in (
        ("Feature names unseen at fit time:", sorted(found - fitted)),
        ("Feature names seen at fit time, yet now missing:", sorted(fitted - found)),
    ):
        if names:
            lines += [heading, *(f"- {name}" for name in names[:TOLD])]
            lines += ["- ..."] * (len(names) > TOLD)
    if found == fitted:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"
