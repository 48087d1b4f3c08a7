"""The same seed gives the same bits, whatever the number of threads."""

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, labels_of, ragged, tags_of
from sklearn import config_context

from rnnkit.estimators import applying
from rnnkit.network.memory import bytes_per_row
from rnnkit.sequences import batch_of

X = ragged(150, n_features=3, longest=20)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_classifier_for_any_number_of_threads(cell, dtype, n_threads_limit):
    typed, y = [x.astype(dtype) for x in X], labels_of(X)

    def fit():
        model = estimator(
            cell, "Classifier", hidden_size=40, n_layers=2, bidirectional=True, dropout=0.2,
            recurrent_dropout=0.1, input_noise=0.1, pooling="attention", max_iter=3,
        )  # fmt: skip
        return model.fit(typed, y).predict_proba(typed)

    with n_threads_limit(1):
        expected = fit()
    for n_threads in (2, 4):
        with n_threads_limit(n_threads):
            np.testing.assert_array_equal(fit(), expected)


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_tagger_for_any_number_of_threads(output, n_threads_limit):
    y = tags_of(X)

    def fit():
        tagger = estimator("LSTM", "SequenceTagger", output=output, peephole=True, max_iter=3)
        return np.concatenate(tagger.fit(X, y).predict_proba(X))

    with n_threads_limit(1):
        expected = fit()
    with n_threads_limit(4):
        np.testing.assert_array_equal(fit(), expected)


def test_predictions_do_not_touch_numpys_random_state():
    np.random.seed(3)
    expected = np.random.get_state()[1].copy()
    estimator("GRU", "Classifier", dropout=0.2, max_iter=2).fit(X, labels_of(X)).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], expected)


def test_predict_keeps_within_the_working_memory(monkeypatch):
    """Batches get smaller with scikit-learn's limit, and the bits stay."""
    model = estimator("LSTM", "Classifier", hidden_size=64, max_iter=2).fit(X, labels_of(X))
    row_bytes = bytes_per_row(model.network_)
    expected = model.predict_proba(X)
    sizes = []

    def counted(offsets, indices):
        batch = batch_of(offsets, indices)
        sizes.append((batch.plan.n_sequences, batch.plan.n_rows))
        return batch

    monkeypatch.setattr(applying, "batch_of", counted)
    with config_context(working_memory=30 * row_bytes / 2**20):
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert sum(n for n, _ in sizes) == len(X)
    assert all(rows <= 30 or n == 1 for n, rows in sizes)
    assert len(sizes) > 1
