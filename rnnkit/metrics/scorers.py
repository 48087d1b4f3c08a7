"""Scorers for scikit-learn's searches: a score, what it asks of an estimator, its sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import make_scorer

from rnnkit.metrics.edits import label_error_rate
from rnnkit.metrics.entities import entity_f1
from rnnkit.metrics.intervals import interval_score, pinball_loss
from rnnkit.metrics.several_labels import label_accuracy, label_log_likelihood
from rnnkit.metrics.tokens import sequence_accuracy, token_accuracy, token_f1

__all__ = [
    "entity_f1_scorer",
    "get_scorer",
    "get_scorer_names",
    "label_accuracy_scorer",
    "label_error_rate_scorer",
    "label_log_likelihood_scorer",
    "pinball_loss_scorer",
    "sequence_accuracy_scorer",
    "token_accuracy_scorer",
    "token_f1_scorer",
]


class _ProbabilityScorer:
    """A scorer of probabilities; scikit-learn's own asks classifiers alone for them."""

    def __init__(self, score: Callable[..., float], options: dict[str, Any]) -> None:
        self.score, self.options = score, options

    def __call__(self, estimator: Any, X: Any, y_true: Any, sample_weight: Any = None) -> float:
        weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.score(y_true, estimator.predict_proba(X), **weighted, **self.options)

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"probability_scorer({self.score.__name__}{options})"


def _interval_score_of_columns(y_true: Any, y_pred: Any, **options: Any) -> float:
    """Score the interval between the first and the last of several predicted quantiles."""
    predicted = [np.asarray(p) for p in y_pred]
    lower, upper = ([p[..., column] for p in predicted] for column in (0, -1))
    return interval_score(y_true, lower, upper, **options)


_SCORES: dict[str, Callable[..., Any]] = {
    "entity_f1": entity_f1,
    "interval_score": _interval_score_of_columns,
    "label_accuracy": label_accuracy,
    "label_error_rate": label_error_rate,
    "label_log_likelihood": label_log_likelihood,
    "pinball_loss": pinball_loss,
    "sequence_accuracy": sequence_accuracy,
    "token_accuracy": token_accuracy,
    "token_f1": token_f1,
}
_SMALLER_IS_BETTER = ("interval_score", "label_error_rate", "pinball_loss")


def get_scorer_names() -> list[str]:
    """Return the names that `get_scorer` knows.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from rnnkit.metrics import get_scorer_names
    >>> "entity_f1" in get_scorer_names()
    True
    """
    return sorted(_SCORES)


def get_scorer(name: str, **options: Any) -> Any:
    """Return a scorer for ``scoring=`` of scikit-learn's searches.

    Parameters
    ----------
    name : str
        Of a score of this module; see `get_scorer_names`. "interval_score" takes the first and
        the last of several predicted quantiles for the ends and needs `alpha`.
    **options : dict
        What the score takes beside targets and predictions, as ``scheme="iobes"`` or
        ``quantile=[0.1, 0.9]``.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, larger is better; errors and losses are negative.

    Raises
    ------
    ValueError
        If there is no such score.

    Examples
    --------
    >>> from rnnkit.metrics import get_scorer
    >>> scoring = {"f1": get_scorer("entity_f1", scheme="iobes"), "token": get_scorer("token_f1")}
    """
    if not isinstance(name, str) or name not in _SCORES:
        raise ValueError(
            f"name must be one of {', '.join(map(repr, get_scorer_names()))}, got {name!r}"
        )
    if name == "label_log_likelihood":
        return _ProbabilityScorer(label_log_likelihood, options)
    return make_scorer(_SCORES[name], greater_is_better=name not in _SMALLER_IS_BETTER, **options)


entity_f1_scorer = get_scorer("entity_f1")
label_accuracy_scorer = get_scorer("label_accuracy")
label_error_rate_scorer = get_scorer("label_error_rate")
label_log_likelihood_scorer = get_scorer("label_log_likelihood")
pinball_loss_scorer = get_scorer("pinball_loss")
sequence_accuracy_scorer = get_scorer("sequence_accuracy")
token_accuracy_scorer = get_scorer("token_accuracy")
token_f1_scorer = get_scorer("token_f1")
