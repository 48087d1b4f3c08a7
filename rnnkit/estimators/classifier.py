"""Classifiers: one label for every sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, check_array, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from rnnkit.estimators.base import (
    GRUParameters,
    LSTMParameters,
    RecurrentEstimator,
    RNNParameters,
    _trains_in_minibatches,
    parameters,
    recurrent_estimator,
)
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.inputs import InputForm
from rnnkit.estimators.labels import encode_labels, find_classes, log_odds, weigh_classes
from rnnkit.network import Bernoulli, Output, SoftmaxCrossEntropy
from rnnkit.sequences import Sequences

__all__ = ["GRUClassifier", "LSTMClassifier", "RNNClassifier", "RecurrentClassifier"]


@parameters
class RecurrentClassifier(ClassifierMixin, RecurrentEstimator):
    """What classifies sequences, whatever the cell."""

    _attributes: ClassVar[tuple[str, ...]] = ("classes_", *RecurrentEstimator._attributes)

    pooling: str = "last"
    label_smoothing: float = 0.0
    class_weight: Any = None

    @available_if(_trains_in_minibatches)
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
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit; "
                "pass a dict of weights instead"
            )
        self._given_classes = classes
        try:
            return self._partial_fit(X, y, sample_weight, lengths)
        finally:
            vars(self).pop("_given_classes", None)

    def predict_proba(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, K)
            In the dtype of the network, in the order of `classes_`.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return self._probabilities(sequences)

    def predict_log_proba(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return the logarithm of the probability of every class.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, K)

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, lengths))

    def _make_output(self) -> Output:
        if self._multilabel:
            return Bernoulli(len(self.classes_))
        return SoftmaxCrossEntropy(len(self.classes_), self.label_smoothing)

    def _read_targets(
        self, y: Any, sequences: Sequences, form: InputForm, *, first: bool, strict: bool
    ) -> np.ndarray:
        y = check_array(
            y, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name="y", estimator=self
        )
        check_consistent_length(sequences.offsets[1:], y)
        multilabel = type_of_target(y, input_name="y") == "multilabel-indicator"
        if first:
            check_classification_targets(y)
            self._multilabel = multilabel
        if self._multilabel:
            return self._read_indicators(y, multilabel, first)
        y = column_or_1d(y, warn=True)
        if first:
            self.classes_ = find_classes(y, self, getattr(self, "_given_classes", None))
        return encode_labels(y, self.classes_, strict=strict)

    def _read_indicators(self, y: np.ndarray, multilabel: bool, first: bool) -> np.ndarray:
        if first:
            self.classes_ = np.arange(y.shape[1])
        if not multilabel or y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y must have shape (N, {len(self.classes_)}) and hold 0 and 1, as in the first "
                f"fit; got an array of shape {y.shape}"
            )
        return y.astype(np.float64)

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

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return None if self._multilabel else targets

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@recurrent_estimator
class RNNClassifier(RNNParameters, RecurrentClassifier):
    """Classify sequences with a simple (Elman) recurrent network.

    Notes
    -----
    ``h_t = φ(W x_t + U h_{t-1} + b)``; the class scores are an affine function of the pooled
    states, the loss their cross-entropy in nats per sequence. Source: Elman (1990).

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import RNNClassifier
    >>> rng = np.random.RandomState(0)
    >>> X = [rng.randn(length, 2) for length in rng.randint(3, 9, size=60)]
    >>> y = ["up" if x[-1, 0] > 0 else "down" for x in X]
    >>> classifier = RNNClassifier(8, learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    """


@recurrent_estimator
class LSTMClassifier(LSTMParameters, RecurrentClassifier):
    """Classify sequences with a long short-term memory (LSTM) network.

    Notes
    -----
    ``i, f, o = σ(W x_t + U h_{t-1} + b)``, ``g = φ(W x_t + U h_{t-1} + b)``,
    ``c_t = f c_{t-1} + i g``, ``h_t = o φ(c_t)``; the class scores are an affine function of
    the pooled states, the loss their cross-entropy in nats per sequence. Source: Hochreiter &
    Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000) for the forget gate.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import LSTMClassifier
    >>> rng = np.random.RandomState(0)
    >>> X = [rng.randn(length, 2) for length in rng.randint(3, 9, size=60)]
    >>> y = ["up" if x[-1, 0] > 0 else "down" for x in X]
    >>> classifier = LSTMClassifier(8, learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    """


@recurrent_estimator
class GRUClassifier(GRUParameters, RecurrentClassifier):
    """Classify sequences with a network of gated recurrent units (GRU).

    Notes
    -----
    ``r, z = σ(W x_t + U h_{t-1} + b)``, ``n = φ(W x_t + b + r (U h_{t-1} + b_hn))``,
    ``h_t = (1 - z) n + z h_{t-1}``; the class scores are an affine function of the pooled
    states, the loss their cross-entropy in nats per sequence. Source: Cho et al. (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> rng = np.random.RandomState(0)
    >>> X = [rng.randn(length, 2) for length in rng.randint(3, 9, size=60)]
    >>> y = ["up" if x[-1, 0] > 0 else "down" for x in X]
    >>> classifier = GRUClassifier(8, learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    """
