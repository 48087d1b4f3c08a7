"""Scores of forecasts, against their definitions written out."""

import numpy as np
import pytest

from rnnkit.metrics import (
    interval_coverage,
    interval_score,
    mean_absolute_scaled_error,
    pinball_loss,
    symmetric_percentage_error,
)

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


SCORES = {
    "scaled": lambda y, p: mean_absolute_scaled_error(y, p, TRAIN[:, 0]),
    "percentage": symmetric_percentage_error,
    "pinball": pinball_loss,
    "interval, lower": lambda y, p: interval_score(y, p, np.full(len(y), 9.0), alpha=0.5),
    "interval, upper": lambda y, p: interval_score(y, np.full(len(y), -9.0), p, alpha=0.5),
    "coverage, lower": lambda y, p: interval_coverage(y, p, np.full(len(y), 9.0)),
    "coverage, upper": lambda y, p: interval_coverage(y, np.full(len(y), -9.0), p),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_forecast_that_is_no_number_is_no_score(name):
    """It counts where the truth is known, and nowhere else."""
    score = SCORES[name]
    true, pred = TRUE[:, 0].copy(), PRED[:, 0].copy()
    pred[2] = np.nan
    assert np.isnan(score(true, pred))
    assert np.isnan(score(true, np.full(6, np.nan)))
    true[2] = np.nan
    assert score(true, pred) == score(true, PRED[:, 0])


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300, 1.7e308])
def test_scores_of_ratios_have_no_unit(size):
    true, pred, train = (size * np.array(y) for y in ([1.0, -1.0], [0.5, 1.0], [0.25, -1.0, 1.0]))
    assert np.isclose(symmetric_percentage_error(true, pred), (200 / 3 + 200) / 2)
    assert np.isclose(mean_absolute_scaled_error(true, pred, train), 1.25 / 1.625)
    assert np.isclose(symmetric_percentage_error(true[:1], pred[:1]), 200 / 3)


def test_holes_in_the_past_do_not_count():
    train = [1.0, 2.0, np.nan, 5.0, 8.0]
    assert mean_absolute_scaled_error([4.0], [0.0], train) == 2
    for holes in ([1.0, np.nan, 3.0], [[1.0, 2.0], [2.0, np.nan]]):
        width = np.ones((1, np.size(holes[0])))
        with pytest.raises(ValueError, match="y_train must hold two numbers that are period=1"):
            mean_absolute_scaled_error(width, width, holes)


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
