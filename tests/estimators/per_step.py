"""The estimators that answer per step, as scikit-learn's checks can speak to them.

The checks hand over one target for each sequence and expect one answer. An adapter repeats the
target over the steps of its sequence, or makes it a label sequence of one label, and answers with
what its estimator says last. All else is the estimator's own.
"""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import _check_n_features

import rnnkit
from rnnkit.estimators.encoder_decoder.reading import read_targets


def repeated(X: Any, y: Any) -> Any:
    """Return a target for each step of two-dimensional X; y itself where it is not one of each."""
    if y is None:
        return y
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    values = np.asarray(y)
    if len(shape) != 2 or values.ndim == 0:
        return y
    return np.repeat(values[:, None], shape[1], axis=1)


class OneLength:
    """Series of one length: another one is what the checks call another number of features."""

    def partial_fit(self, X, y, **arguments):
        if hasattr(self, "network_"):
            _check_n_features(self, X, reset=False)
        return super().partial_fit(X, y, **arguments)

    def fit(self, X, y, **arguments):
        X = np.asarray(X) if isinstance(X, list) else X  # else each row is one of any length
        return super().fit(X, y, **arguments)

    def _read_new(self, X, lengths):
        read = super()._read_new(X, lengths)
        _check_n_features(self, X, reset=False)
        return read


class StepsAsOne(OneLength):
    """Repeats y over the steps; the answer is that of the last step."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, repeated(X, y), sample_weight=sample_weight)

    def predict(self, X):
        return super().predict(X)[:, -1]


class TagsAsOne(StepsAsOne, ClassifierMixin):
    """A tagger as a classifier."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        y = repeated(X, y)
        return super().partial_fit(X, y, classes=classes, sample_weight=sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(X)[:, -1]

    def predict_log_proba(self, X):
        return super().predict_log_proba(X)[:, -1]

    def score(self, X, y, sample_weight=None):
        return ClassifierMixin.score(self, X, y, sample_weight)


class NumbersAsOne(StepsAsOne, RegressorMixin):
    """A sequence regressor as a regressor."""

    def partial_fit(self, X, y, sample_weight=None):
        return super().partial_fit(X, repeated(X, y), sample_weight=sample_weight)

    def score(self, X, y, sample_weight=None):
        return RegressorMixin.score(self, X, y, sample_weight)


class LabelsAsOne(OneLength, ClassifierMixin):
    """A labeller as a classifier: a label sequence of one label, the first of those written."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, self._listed(y), sample_weight=sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(X, self._listed(y), classes=classes, sample_weight=sample_weight)

    def predict(self, X):
        written = super().predict(X)
        return np.array([labels[0] if len(labels) else self.classes_[0] for labels in written])

    def score(self, X, y, sample_weight=None):
        return ClassifierMixin.score(self, X, y, sample_weight)

    @property
    def predict_proba(self):
        raise AttributeError("probabilities are those of steps, the blank among them")

    @staticmethod
    def _listed(y):
        values = np.asarray(y)
        return (
            y if y is None or values.ndim != 1 else [values[i : i + 1] for i in range(len(values))]
        )


class WrittenAsOne(LabelsAsOne):
    """An encoder-decoder as a classifier, of rows of numbers whatever their dtype."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        return tags

    def _told_of(self, X):
        told = super()._told_of(np.zeros((1, 1)))
        told.categorical_features = None
        return told

    def _read_targets(self, y, sequences, form, ignore_label):
        return read_targets(y, len(sequences), "labels")

    @property
    def score_samples(self):
        raise AttributeError("the probability is that of a y")


class RNNTagsAsOne(TagsAsOne, rnnkit.RNNSequenceTagger):
    pass


class LSTMTagsAsOne(TagsAsOne, rnnkit.LSTMSequenceTagger):
    pass


class GRUTagsAsOne(TagsAsOne, rnnkit.GRUSequenceTagger):
    pass


class RNNNumbersAsOne(NumbersAsOne, rnnkit.RNNSequenceRegressor):
    pass


class LSTMNumbersAsOne(NumbersAsOne, rnnkit.LSTMSequenceRegressor):
    pass


class GRUNumbersAsOne(NumbersAsOne, rnnkit.GRUSequenceRegressor):
    pass


class RNNLabelsAsOne(LabelsAsOne, rnnkit.RNNSequenceLabeller):
    pass


class LSTMLabelsAsOne(LabelsAsOne, rnnkit.LSTMSequenceLabeller):
    pass


class GRULabelsAsOne(LabelsAsOne, rnnkit.GRUSequenceLabeller):
    pass


class RNNWrittenAsOne(WrittenAsOne, rnnkit.RNNEncoderDecoder):
    pass


class LSTMWrittenAsOne(WrittenAsOne, rnnkit.LSTMEncoderDecoder):
    pass


class GRUWrittenAsOne(WrittenAsOne, rnnkit.GRUEncoderDecoder):
    pass


ADAPTED = {
    "Tags": [RNNTagsAsOne, LSTMTagsAsOne, GRUTagsAsOne],
    "Numbers": [RNNNumbersAsOne, LSTMNumbersAsOne, GRUNumbersAsOne],
    "Labels": [RNNLabelsAsOne, LSTMLabelsAsOne, GRULabelsAsOne],
    "Written": [RNNWrittenAsOne, LSTMWrittenAsOne, GRUWrittenAsOne],
}
# What is another thing where there are targets for each step.
OTHERWISE = {
    "Tags": {"check_sample_weights_shape": "weights of two dimensions are weights of steps"},
    "Numbers": {"check_sample_weights_shape": "weights of two dimensions are weights of steps"},
    "Labels": {"check_supervised_y_2d": "a y of two dimensions holds sequences of labels"},
    "Written": {"check_supervised_y_2d": "a y of two dimensions holds sequences of labels"},
}


def otherwise(estimator):
    """Return the checks that an adapter cannot pass, and why."""
    kind = next(kind for kind in ADAPTED if type(estimator) in ADAPTED[kind])
    return OTHERWISE[kind]
