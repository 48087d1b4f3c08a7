"""Classifiers: one label for every sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.codecs import Codec, Indicators, Labels
from rnnkit.estimators.devices import answers
from rnnkit.estimators.label_learning import LabelPrediction
from rnnkit.estimators.labels import (
    find_classes,
    refuse_dates,
    refuse_missing,
    without_objects,
)
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameters
from rnnkit.estimators.parameters.network import (
    GRUParameters,
    LSTMParameters,
    PoolingParameters,
    RNNParameters,
)
from rnnkit.estimators.targets import refuse_mixed_types, require_list, values_of
from rnnkit.network import Output
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import refuse_complex
from rnnkit.sequences.reading import refuse_masked

__all__ = ["GRUClassifier", "LSTMClassifier", "RNNClassifier", "RecurrentClassifier"]


@parameters
class RecurrentClassifier(ClassifierMixin, PoolingParameters, LabelPrediction):
    """What classifies sequences, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        notes=(
            "the class scores are an affine function of the pooled states, the loss their "
            "cross-entropy in nats per sequence."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [rng.randn(length, 2) for length in rng.randint(3, 9, size=60)]
>>> y = ["up" if x[-1, 0] > 0 else "down" for x in X]
>>> classifier = {name}(8, learning_rate_init=0.05, random_state=0).fit(X, y)
>>> classifier.score(X, y)
1.0
""",
    )
    score = LabelPrediction.score  # not the mixin's, which knows no lengths

    @answers
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

    @answers
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
            logarithms: np.ndarray = np.log(self.predict_proba(X, lengths))
        return logarithms

    def _make_output(self, codec: Codec) -> Output:
        return self._scored_by_row(codec)

    def _read_targets(
        self, y: Any, sequences: Sequences, form: Form, ignore_label: Any
    ) -> np.ndarray:
        refuse_masked(y, "y")
        require_list(y, "y")
        refuse_complex(y, "y")
        y = values_of(y) if _is_flat(y) else y
        if isinstance(y, np.ndarray) and y.dtype == object and y.ndim == 1:
            refuse_missing(y)
            refuse_mixed_types([y], "y")
        labels: np.ndarray = check_array(
            y, ensure_2d=False, dtype=None, ensure_min_samples=0, input_name="y", estimator=self
        )
        check_consistent_length(sequences.offsets[1:], labels)
        if type_of_target(without_objects(labels), input_name="y") != "multilabel-indicator":
            labels = column_or_1d(labels, warn=True)
            refuse_dates(labels)
        return labels

    def _learn_codec(self, targets: np.ndarray, classes: Any) -> Codec:
        check_classification_targets(without_objects(targets))
        if targets.ndim == 2:
            return Indicators.of(targets.shape[1], "sequence", classes)
        return Labels(find_classes(targets, self, classes))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _is_flat(y: Any) -> bool:
    """Whether y is one label for each, in an array, a column or a list."""
    if isinstance(y, (list, tuple)):
        return all(np.isscalar(label) or np.ndim(label) == 0 for label in y)
    return bool(getattr(y, "ndim", 2) == 1)


@recurrent_estimator
class RNNClassifier(RNNParameters, RecurrentClassifier):
    """Classify sequences with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMClassifier(LSTMParameters, RecurrentClassifier):
    """Classify sequences with a long short-term memory (LSTM) network."""


@recurrent_estimator
class GRUClassifier(GRUParameters, RecurrentClassifier):
    """Classify sequences with a network of gated recurrent units (GRU)."""
