"""Scores of numbers and of several labels against sklearn's and their definitions; ragged too."""

import pickle

import numpy as np
import pandas as pd
import pytest
from estimators.problems import estimator, numbers_of, ragged
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from tolerances import assert_close

from rnnkit import Sequences
from rnnkit.metrics import (
    get_scorer,
    get_scorer_names,
    interval_coverage,
    interval_score,
    label_accuracy,
    label_log_likelihood,
    label_log_likelihood_scorer,
    pinball_loss,
)

RNG = np.random.RandomState(0)
LENGTHS = [3, 1, 5]
TRUE = [RNG.randn(n) for n in LENGTHS]
PRED = [RNG.randn(n) for n in LENGTHS]
WEIGHTS = [RNG.rand(n) for n in LENGTHS]
SEVERAL = [np.sort(RNG.randn(n, 2), axis=1) for n in LENGTHS]


def pad(items, fill=np.nan, width=6):
    return np.stack(
        [np.concatenate([a, np.full((width - len(a), *a.shape[1:]), fill)]) for a in items]
    )


def objects(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def forms(true, *others):
    """The same numbers in every form: (y_true, others, lengths)."""
    yield true, others, None
    yield [t.tolist() for t in true], [[o.tolist() for o in other] for other in others], None
    yield objects(true), [objects(other) for other in others], None
    yield true, [pad(other, 7.0) for other in others], None
    yield pad(true, 99.0), [pad(other) for other in others], LENGTHS
    yield pad(true, 99.0), others, LENGTHS
    if others[0][0].ndim == 1:
        columns = [Sequences.from_list(list(y)) for y in (true, *others)]
        yield columns[0], columns[1:], None


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_pinball_is_sklearns(quantile):
    flat = np.concatenate(TRUE), np.concatenate(PRED)
    expected = mean_pinball_loss(*flat, alpha=quantile)
    for true, (pred,), lengths in forms(TRUE, PRED):
        assert_close(
            pinball_loss(true, pred, quantile=quantile, lengths=lengths), expected, "f8", 9
        )
    expected = mean_pinball_loss(*flat, alpha=quantile, sample_weight=np.concatenate(WEIGHTS))
    for weights in (WEIGHTS, pad(WEIGHTS)):
        found = pinball_loss(TRUE, PRED, quantile=quantile, sample_weight=weights)
        assert_close(found, expected, "f8", 9)
    by_sequence = mean_pinball_loss(
        *flat, alpha=quantile, sample_weight=np.repeat([1, 2, 4], LENGTHS)
    )
    found = pinball_loss(TRUE, PRED, quantile=quantile, sample_weight=[1, 2, 4])
    assert_close(found, by_sequence, "f8", 9)
    numbers = RNG.randn(2, 8)
    expected = mean_pinball_loss(*numbers, alpha=quantile, sample_weight=np.arange(8))
    found = pinball_loss(*numbers, quantile=quantile, sample_weight=np.arange(8))
    assert_close(found, expected, "f8", 8)
    assert pinball_loss(*map(pd.Series, numbers)) == pinball_loss(*numbers)
    vectors = RNG.randn(2, 8, 3)
    expected = mean_pinball_loss(*vectors, alpha=quantile, sample_weight=np.arange(8))
    found = pinball_loss(*vectors, quantile=quantile, sample_weight=np.arange(8))
    assert_close(found, expected, "f8", 24)


def test_several_quantiles_are_one_more_axis():
    flat, pred = np.concatenate(TRUE), np.concatenate(SEVERAL)
    quantiles = [0.2, 0.7]
    expected = np.mean([mean_pinball_loss(flat, p, alpha=q) for q, p in zip(quantiles, pred.T)])
    for true, (found,), lengths in forms(TRUE, SEVERAL):
        loss = pinball_loss(true, found, quantile=quantiles, lengths=lengths)
        assert_close(loss, expected, "f8", 18)
    y = RNG.randn(7, 3)
    p = RNG.randn(7, 3, 2)
    expected = np.mean([mean_pinball_loss(y, p[..., j], alpha=q) for j, q in enumerate(quantiles)])
    assert_close(pinball_loss(y, p, quantile=quantiles), expected, "f8", 42)
    assert pinball_loss([1.0], [[0.5]], quantile=[0.5]) == 0.25


def test_interval_score_is_that_of_its_two_quantiles():
    low, high = ([p[:, j] for p in SEVERAL] for j in (0, 1))
    flat = [np.concatenate(part) for part in (TRUE, low, high)]
    for alpha in (0.1, 0.5):
        losses = [
            mean_pinball_loss(flat[0], end, alpha=q)
            for end, q in zip(flat[1:], (alpha / 2, 1 - alpha / 2))
        ]
        for true, ends, lengths in forms(TRUE, low, high):
            found = interval_score(true, *ends, alpha, lengths=lengths)
            assert_close(found, 2 / alpha * sum(losses), "f8", 99)
    inside = (flat[1] <= flat[0]) & (flat[0] <= flat[2])
    assert interval_coverage(TRUE, low, high) == inside.mean()
    assert interval_coverage([1.0, 2.0], [1.0, 0.0], [1.0, 2.0]) == 1.0
    weights = np.concatenate(WEIGHTS)
    found = interval_coverage(TRUE, low, high, sample_weight=WEIGHTS)
    assert_close(found, np.average(inside, weights=weights), "f8", 9)


def test_nan_is_no_target():
    true = [np.array([1.0, np.nan, 2.0]), np.array([np.nan]), np.array([3.0])]
    pred = [np.array([0.0, 5.0, 2.0]), np.array([9.0]), np.array([1.0])]
    assert pinball_loss(true, pred) == (0.5 + 0 + 1) / 3
    assert pinball_loss(true, pred, sample_weight=[1, 7, 2]) == (0.5 + 0 + 2) / 4
    assert interval_coverage(true, pred, pred) == 1 / 3
    assert label_accuracy([[1, np.nan], [0, 0]], [[1, 1], [0, 1]]) == 2 / 3
    found = label_log_likelihood([[1, np.nan], [np.nan, np.nan]], [[0.5, 0.1], [0.3, 0.3]])
    assert_close(found, np.log(0.5), "f8", 2)


def test_several_labels():
    true = [RNG.randint(0, 2, (n, 2)) for n in LENGTHS]
    proba = [RNG.rand(n, 2) for n in LENGTHS]
    pred = [(p > 0.5).astype(int) for p in proba]
    flat_true, flat_proba = np.concatenate(true), np.concatenate(proba)
    accuracy = (flat_true == np.concatenate(pred)).mean()
    likelihood = -sum(log_loss(flat_true[:, k], flat_proba[:, k]) for k in (0, 1))
    weighted = -sum(
        log_loss(flat_true[:, k], flat_proba[:, k], sample_weight=np.concatenate(WEIGHTS))
        for k in (0, 1)
    )
    for y, (p, q), lengths in forms(true, pred, proba):
        assert label_accuracy(y, p, lengths=lengths) == pytest.approx(accuracy, rel=1e-12)
        assert_close(label_log_likelihood(y, q, lengths=lengths), likelihood, "f8", 99)
    found = label_log_likelihood(true, proba, sample_weight=WEIGHTS)
    assert_close(found, weighted, "f8", 99)
    assert_close(label_log_likelihood(flat_true, flat_proba), likelihood, "f8", 99)
    assert np.isfinite(label_log_likelihood([[0, 1]], np.array([[1.0, 0.0]], "f4")))


WRONG = [
    (lambda: pinball_loss([1.0], [1.0], quantile=1.0), r"quantile must lie in \(0, 1\)"),
    (lambda: pinball_loss([1.0], [1.0], quantile=[]), r"quantile must lie in \(0, 1\)"),
    (lambda: pinball_loss([1.0, 2.0], [1.0]), r"numbers of sequences: \[2, 1\]"),
    (lambda: pinball_loss([[1.0, 2.0]], [[1.0]]), r"y_pred\[0\] must have shape \(2,\)"),
    (lambda: pinball_loss([[1.0]], [[1.0, 2.0]]), r"y_pred\[0\] must have shape \(1,\)"),
    (lambda: pinball_loss(np.ones((2, 3)), np.ones((2, 5))), r"y_pred\[0\] must have shape"),
    (lambda: pinball_loss([1.0], [[1.0, 2.0]], quantile=[0.1]), r"shape \(1,\) beside"),
    (lambda: pinball_loss([1.0], [1.0], sample_weight=[1.0, 2.0]), "must have 1 entries, got 2"),
    (lambda: pinball_loss([[1.0]], [[1.0]], sample_weight=[[1.0, 2.0]]), "must hold 1 weights"),
    (lambda: pinball_loss([1.0], [1.0], lengths=[1]), "lengths needs a y_true with several steps"),
    (lambda: pinball_loss([[1.0]], [[1.0]], lengths=[2]), "must be between 0 and 1, got 2"),
    (lambda: pinball_loss([np.nan], [1.0]), "y_true must hold at least one number, got none"),
    (lambda: pinball_loss([], []), "y_true must hold at least one sequence, got none"),
    (lambda: pinball_loss(["a"], [1.0]), "y_true must hold numbers"),
    (lambda: interval_score([1.0], [2.0], [1.0], 0.1), "lower must not exceed upper, got 2.0"),
    (lambda: interval_score([1.0], [0.0], [1.0], 1.0), r"alpha must lie in \(0, 1\), got 1.0"),
    (lambda: get_scorer("accuracy"), "name must be one of 'entity_f1', .* got 'accuracy'"),
]


@pytest.mark.parametrize("call, message", WRONG)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    with pytest.raises(TypeError, match="y_true must be an array or a list"):
        pinball_loss(3.0, [1.0])


X = ragged(24)
STEPS = numbers_of(X)


def test_scorers_of_numbers_in_searches():
    quantiles = [0.1, 0.5, 0.9]
    model = estimator("GRU", "SequenceRegressor", loss="quantile", quantile=quantiles, max_iter=3)
    scoring = {
        "pinball": get_scorer("pinball_loss", quantile=quantiles),
        "interval": get_scorer("interval_score", alpha=0.2),
    }
    found = cross_validate(model, X, STEPS, scoring=scoring, cv=2, return_estimator=True)
    assert (found["test_pinball"] < 0).all()
    fitted = model.fit(X, STEPS)
    predicted = fitted.predict(X)
    expected = interval_score(
        STEPS, [p[:, 0] for p in predicted], [p[:, 2] for p in predicted], 0.2
    )
    assert pickle.loads(pickle.dumps(scoring["interval"]))(fitted, X, STEPS) == -expected


def test_scorers_of_several_labels_in_searches():
    y = [(x > 0).astype(int) for x in X]
    tagger = estimator("GRU", "SequenceTagger", max_iter=3)
    scoring = {"accuracy": get_scorer("label_accuracy"), "nats": label_log_likelihood_scorer}
    grid = {"learning_rate_init": [1e-5, 0.05]}
    for refit in scoring:
        search = GridSearchCV(tagger, grid, scoring=scoring, refit=refit, cv=2).fit(X, y)
        assert search.best_params_ == {"learning_rate_init": 0.05}
    scorer = pickle.loads(pickle.dumps(label_log_likelihood_scorer))
    fitted = tagger.fit(X, y)
    assert scorer(fitted, X, y) == label_log_likelihood(y, fitted.predict_proba(X))
    weights = np.arange(24.0)
    expected = label_log_likelihood(y, fitted.predict_proba(X), sample_weight=weights)
    assert scorer(fitted, X, y, sample_weight=weights) == expected
    assert "label_log_likelihood" in repr(scorer)
    of_sequences = np.array([one[-1] for one in y])
    classifier = estimator("GRU", "Classifier", max_iter=3).fit(X, of_sequences)
    expected = label_log_likelihood(of_sequences, classifier.predict_proba(X))
    assert scorer(classifier, X, of_sequences) == expected
    assert len(get_scorer_names()) == 9
