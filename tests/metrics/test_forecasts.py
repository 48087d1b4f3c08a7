"""Scores of forecasts, against their definitions written out."""

import numpy as np
import pytest

from rnnkit.metrics import mean_absolute_scaled_error, symmetric_percentage_error

RNG = np.random.RandomState(0)
TRUE, PRED, TRAIN = RNG.randn(6, 2), RNG.randn(6, 2), RNG.randn(30, 2)


@pytest.mark.parametrize("period", [1, 7])
def test_scaled_error(period):
    expected = [
        sum(abs(TRUE[t, k] - PRED[t, k]) for t in range(6))
        / 6
        / (sum(abs(TRAIN[t, k] - TRAIN[t - period, k]) for t in range(period, 30)) / (30 - period))
        for k in range(2)
    ]
    found = mean_absolute_scaled_error(TRUE, PRED, TRAIN, period=period)
    assert np.isclose(found, np.mean(expected))
    one = mean_absolute_scaled_error(TRUE[:, 0], PRED[:, 0], TRAIN[:, 0], period=period)
    assert np.isclose(one, expected[0])


def test_percentage_error():
    expected = np.mean([200 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(TRUE.flat, PRED.flat)])
    assert np.isclose(symmetric_percentage_error(TRUE, PRED), expected)
    assert symmetric_percentage_error([1.0, 0.0], [1.0, 0.0]) == 0
    assert symmetric_percentage_error([1.0], [-1.0]) == 200


def test_what_is_not_known_does_not_count():
    holes = TRUE.copy()
    holes[2] = np.nan
    kept = np.arange(6) != 2
    for score in (
        lambda y, p: mean_absolute_scaled_error(y, p, TRAIN),
        symmetric_percentage_error,
    ):
        assert np.isclose(score(holes, PRED), score(TRUE[kept], PRED[kept]))


def test_a_past_that_repeats_itself():
    assert mean_absolute_scaled_error([1.0], [2.0], [1.0, 1.0]) == np.inf
    assert mean_absolute_scaled_error([1.0], [1.0], [1.0, 1.0]) == 0


def test_refused():
    for arguments, text in [
        ((TRUE, PRED[:5], TRAIN), "shape of y_true"),
        ((TRUE, PRED, TRAIN[:, 0]), "y_train must have"),
        ((np.full(3, np.nan), np.ones(3), np.ones(9)), "at least one number"),
        ((np.empty(0), np.empty(0), np.ones(9)), "must be a series"),
    ]:
        with pytest.raises(ValueError, match=text):
            mean_absolute_scaled_error(*arguments)
    for period in (0, 30, True, 1.5):
        with pytest.raises(ValueError, match="period"):
            mean_absolute_scaled_error(TRUE, PRED, TRAIN, period=period)
    with pytest.raises(TypeError, match="must hold numbers"):
        symmetric_percentage_error(["a"], [1.0])
