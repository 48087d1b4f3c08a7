"""The sequence labellers: labels without alignment, greedy and by beam."""

import numpy as np
import pytest
from estimators.problems import CELLS, estimator
from tolerances import assert_close

from rnnkit.metrics import label_error_rate

LETTERS = np.array(["a", "b", "c"])


def spelled(n, seed=0):
    """Words whose letters are each held for one to three noisy steps, with gaps between."""
    rng = np.random.RandomState(seed)
    X, y = [], []
    for _ in range(n):
        word = rng.randint(3, size=rng.randint(1, 4))
        rows = []
        for letter in word:
            rows += [np.eye(4)[letter]] * rng.randint(1, 4) + [np.eye(4)[3]]
        X.append(np.array(rows) + 0.1 * rng.randn(len(rows), 4))
        y.append(LETTERS[word].tolist())
    return X, y


X, Y = spelled(60)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("beam_width", [None, 5])
def test_learns(cell, beam_width):
    labeller = estimator(cell, "SequenceLabeller", max_iter=80, beam_width=beam_width).fit(X, Y)
    X_test, y_test = spelled(30, seed=1)
    predictions = labeller.predict(X_test)
    assert predictions.dtype == object
    assert labeller.score(X_test, y_test) == pytest.approx(
        1 - label_error_rate(y_test, predictions)
    )
    assert labeller.score(X_test, y_test) > 0.9
    assert labeller.classes_.tolist() == ["a", "b", "c"]
    assert labeller.n_outputs_ == 4


def test_probabilities_have_the_blank_last():
    labeller = estimator("GRU", "SequenceLabeller", max_iter=5).fit(X, Y)
    for p, x in zip(labeller.predict_proba(X), X):
        assert p.shape == (len(x), 4)
        assert_close(p.sum(axis=1), np.ones(len(x)), np.float64, 4)


def test_beam_width_may_change_after_fit():
    labeller = estimator("GRU", "SequenceLabeller", max_iter=8).fit(X, Y)
    greedy = labeller.predict(X)
    beam = labeller.set_params(beam_width=8).predict(X)
    assert any(len(a) != len(b) or np.any(a != b) for a, b in zip(greedy, beam))


def test_sample_weight_matters_and_equals_repetition():
    weights = np.random.RandomState(0).randint(0, 3, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weights)
    settings = dict(max_iter=3, batch_size=300)
    weighted = estimator("GRU", "SequenceLabeller", **settings).fit(X, Y, sample_weight=weights)
    plain = estimator("GRU", "SequenceLabeller", **settings)
    plain.fit([X[i] for i in repeated], [Y[i] for i in repeated])
    assert_close(weighted.loss_, plain.loss_, np.float64, len(X))


def test_early_stopping_and_empty_labels():
    labeller = estimator("GRU", "SequenceLabeller", early_stopping=True, validation_fraction=0.3)
    labeller.fit([*X, np.tile(np.eye(4)[3], (3, 1))], [*Y, []])
    assert labeller.best_validation_score_ == max(labeller.validation_scores_)


def test_wrong_y_is_refused():
    labeller = estimator("GRU", "SequenceLabeller")
    with pytest.raises(ValueError, match="labels need at least"):
        labeller.fit(X, [["a"] * 50] + Y[1:])
    with pytest.raises(ValueError, match="list of labels"):
        labeller.fit(X, ["a"] * len(X))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        labeller.fit(X, Y[:-1])
