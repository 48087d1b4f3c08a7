"""scikit-learn's own checks for transformers and outlier detectors, none expected to fail.

As constructed by default but for one check: that weights are as good as repeated rows needs the
same minibatches for both and no noise, and a long training amplifies the rounding by which the
two differ.
"""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

import rnnkit

AMPLIFIED = "check_sample_weight_equivalence_on_dense_data"
SAME_BATCHES = dict(hidden_size=16, batch_size=1000, max_iter=5, shuffle=False, input_noise=0.0)
QUICK = dict(hidden_size=16, code_size=4, max_iter=10)


@parametrize_with_checks(
    [getattr(rnnkit, f"{cell}Autoencoder")(**QUICK) for cell in ("RNN", "LSTM", "GRU")]
)
def test_scikit_learn_check(estimator, check):
    if check.func.__name__ == AMPLIFIED:
        estimator = clone(estimator).set_params(**SAME_BATCHES)
    check(estimator)


def test_both_kinds_of_checks_are_among_them():
    tags = rnnkit.GRUAutoencoder().__sklearn_tags__()
    assert tags.estimator_type == "outlier_detector"
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert not tags.target_tags.required


def test_one_that_ignores_its_weights_does_not_pass():
    class Careless(rnnkit.GRUAutoencoder):
        def fit(self, X, y=None, sample_weight=None):
            return super().fit(X)

    with pytest.raises(AssertionError):
        check_sample_weight_equivalence_on_dense_data("Careless", Careless(**SAME_BATCHES))
