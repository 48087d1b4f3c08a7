"""scikit-learn's own checks on language models, through a thin adapter.

The checks hand over rows of numbers. The adapter reads each as a document of ids: its numbers in
steps of a half, and calls their likelihoods predictions. All else is the estimator's own, as
constructed by default but for one check: that weights are as good as repeated rows needs the same
minibatches for both, and no dropout, which is drawn for each.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)
from sklearn.utils.validation import check_is_fitted, validate_data

import rnnkit

SAME_BATCHES = dict(hidden_size=16, batch_size=1000, max_iter=5, shuffle=False, dropout=0.0)


class RowsAsTexts:
    """Rows of numbers as documents of ids, which are known beforehand."""

    @property
    def n_features_in_(self):
        if not hasattr(self, "_n_columns"):
            raise AttributeError("n_features_in_")
        return self._n_columns

    @n_features_in_.setter
    def n_features_in_(self, n):
        self._n_columns = n

    def _documents(self, X, *, reset):
        rows = validate_data(self, X, reset=reset, dtype="numeric")
        return np.clip(np.round(2.0 * rows) + 50, 0, 100).astype(int)

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._documents(X, reset=True), sample_weight=sample_weight)

    def partial_fit(self, X, y=None, sample_weight=None):
        documents = self._documents(X, reset=not hasattr(self, "network_"))
        return super().partial_fit(documents, sample_weight=sample_weight)

    def score_samples(self, X):
        return super().score_samples(self._documents_known(X))

    def score(self, X, y=None, sample_weight=None):
        return super().score(self._documents_known(X), sample_weight=sample_weight)

    def predict(self, X):
        return self.score_samples(X)

    def _documents_known(self, X):
        check_is_fitted(self)
        return self._documents(X, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags


class RNNTexts(RowsAsTexts, rnnkit.RNNLanguageModel):
    pass


class LSTMTexts(RowsAsTexts, rnnkit.LSTMLanguageModel):
    pass


class GRUTexts(RowsAsTexts, rnnkit.GRULanguageModel):
    pass


@parametrize_with_checks([RNNTexts(), LSTMTexts(), GRUTexts()])
def test_scikit_learn_check(estimator, check):
    if check.func.__name__ == "check_sample_weight_equivalence_on_dense_data":
        estimator = clone(estimator).set_params(**SAME_BATCHES)
    check(estimator)


def test_the_adapter_shows_what_an_estimator_does_wrong():
    """A model that ignores its weights does not pass."""

    class Careless(GRUTexts):
        def fit(self, X, y=None, sample_weight=None):
            return super().fit(X)

    with pytest.raises(AssertionError):
        check_sample_weight_equivalence_on_dense_data("Careless", Careless(**SAME_BATCHES))
