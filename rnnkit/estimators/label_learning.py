"""Learning labels: classes, their weights, and what classifier, tagger and labeller share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils.metaestimators import available_if

from rnnkit.estimators.base import RecurrentEstimator, parameters, trains_in_minibatches
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.labels import encode_labels, find_classes, log_odds, weigh_classes

__all__ = ["LabelLearning", "LabelPrediction"]


@parameters
class LabelLearning(RecurrentEstimator):
    """What learns labels, whose classes must be known before the first `partial_fit`."""

    _attributes: ClassVar[tuple[str, ...]] = ("classes_", *RecurrentEstimator._attributes)

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Train for one more epoch on the given data.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.
        classes : array-like of shape (K,), default=None
            All classes that will ever come; needed in the first call.
        sample_weight, lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`; if the first call has no `classes`, or a later one others; and with
            `early_stopping` or ``class_weight="balanced"``. The estimator stays as it was.
        """
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if (
            not first
            and classes is not None
            and not np.array_equal(self.classes_, np.unique(np.asarray(classes)))
        ):
            raise ValueError(
                f"classes={classes!r} is not the same as on last call to partial_fit, "
                f"was: {self.classes_!r}"
            )
        if isinstance(getattr(self, "class_weight", None), str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit; "
                "pass a dict of weights instead"
            )
        self._given_classes = classes
        try:
            return self._partial_fit(X, y, sample_weight, lengths)
        finally:
            self.__dict__.pop("_given_classes", None)

    def _encode(self, labels: np.ndarray, *, first: bool, strict: bool) -> np.ndarray:
        """Return the class index of flat labels; with `first`, find the classes in them."""
        if first:
            self.classes_ = find_classes(labels, self, getattr(self, "_given_classes", None))
        return encode_labels(labels, self.classes_, strict=strict)


@parameters
class LabelPrediction(LabelLearning):
    """What predicts one label, or K yes-or-no labels, for every sequence or every step."""

    label_smoothing: float = 0.0
    class_weight: Any = None

    _multilabel = False  # no annotation: no parameter, but a state that fit sets

    def _output_bias(self, examples: Examples) -> Any:
        return log_odds(examples.targets, examples.weights) if self._multilabel else 0.0

    def _present(self, decisions: np.ndarray) -> np.ndarray:
        return decisions.astype(np.intp) if self._multilabel else self.classes_[decisions]

    def _score_decisions(
        self, targets: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None
    ) -> float:
        right = targets == decisions
        if self._multilabel:
            right = right.all(axis=1)
        return float(np.average(right, weights=weights))

    def _class_weights(self, targets: np.ndarray) -> np.ndarray | None:
        if self._multilabel:
            return None
        return weigh_classes(self.class_weight, self.classes_, targets)
