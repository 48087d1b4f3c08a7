"""scikit-learn's own checks, on an estimator that reads whether numbers are above 0.

They bring numbers of any size, which a machine of 0 and 1 refuses by name; that refusal is tested
beside it.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import _check_n_features

from rnnkit.energy import RecurrentRBM
from rnnkit.estimators.reader import Reader
from rnnkit.sequences import Sequences

AMPLIFIED = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
SAME_BATCHES = dict(n_components=4, negative_phase="exact", batch_size=1000, shuffle=False)


def signs(sequences):
    """Sequences of 1 where numbers are above 0, else 0."""
    values = (sequences.values > 0).astype(sequences.values.dtype)
    return Sequences(values, sequences.offsets, sequences.ids)


@pytest.fixture
def any_numbers(monkeypatch):
    """Let every reader turn numbers into their signs, as what stands before it in a pipeline."""
    learn, read = Reader.learn.__func__, Reader.read

    def learn_signs(cls, *args, **options):
        reader, sequences, form = learn(cls, *args, **options)
        return reader, signs(sequences), form

    def read_signs(self, *args, **options):
        sequences, form = read(self, *args, **options)
        return signs(sequences), form

    monkeypatch.setattr(Reader, "learn", classmethod(learn_signs))
    monkeypatch.setattr(Reader, "read", read_signs)


class OneLength(RecurrentRBM):
    """Series of one length: another one is what the checks call another number of features."""

    def partial_fit(self, X, y=None, **arguments):
        if hasattr(self, "network_"):
            _check_n_features(self, X, reset=False)
        return super().partial_fit(X, y, **arguments)

    def fit(self, X, y=None, **arguments):
        X = np.asarray(X) if isinstance(X, list) else X  # else each row is one of any length
        return super().fit(X, y, **arguments)

    def score(self, X, y=None, **arguments):
        _check_n_features(self, X, reset=False)
        return super().score(X, y, **arguments)

    def _read_new(self, X, lengths):
        X = np.asarray(X) if isinstance(X, list) else X
        read = super()._read_new(X, lengths)
        _check_n_features(self, X, reset=False)
        return read


@parametrize_with_checks(
    [OneLength(8, n_components=4, max_iter=5, cell=cell) for cell in ("rnn", "lstm", "gru")]
)
def test_scikit_learn_check(estimator, check, any_numbers):
    if check.func.__name__ in AMPLIFIED:
        estimator = clone(estimator).set_params(**SAME_BATCHES)
    check(estimator)


def test_without_that_numbers_are_refused_by_name():
    with pytest.raises(ValueError, match="X must hold 0 and 1 alone"):
        RecurrentRBM().fit(np.random.RandomState(0).normal(size=(20, 3)))


def test_what_it_says_of_itself():
    tags = RecurrentRBM().__sklearn_tags__()
    assert tags.estimator_type == "density_estimator"
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert not tags.target_tags.required
