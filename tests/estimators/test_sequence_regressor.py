"""The sequence regressors: numbers per step, and forecasts in closed loop."""

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, numbers_of, padded, ragged
from sklearn.base import is_regressor

X = ragged(60, seed=3)
Y = numbers_of(X)
WAVE = np.sin(np.arange(240) / 5 + np.arange(4)[:, None])


@pytest.mark.parametrize("cell", CELLS)
def test_learns(cell):
    regressor = estimator(cell, "SequenceRegressor", max_iter=80).fit(X, Y)
    assert regressor.score(X, Y) > 0.9
    predictions = regressor.predict(X)
    assert [p.shape for p in predictions] == [(len(x),) for x in X]
    assert not is_regressor(regressor)


@pytest.mark.parametrize("loss", ["absolute", "huber", "quantile"])
def test_losses_of_the_regressor(loss):
    regressor = estimator("GRU", "SequenceRegressor", loss=loss, max_iter=80).fit(X, Y)
    assert regressor.score(X, Y) > 0.9


def test_several_outputs_per_step():
    y = [np.stack([one, -one], axis=1) for one in Y]
    regressor = estimator("GRU", "SequenceRegressor", max_iter=80).fit(X, y)
    assert [p.shape for p in regressor.predict(X)] == [(len(x), 2) for x in X]
    assert regressor.score(X, y) > 0.9
    dense = np.random.RandomState(0).randn(6, 4, 2)
    assert regressor.predict(dense).shape == (6, 4, 2)


def test_padding_never_counts():
    dense, lengths = padded(X)
    dense_y = np.full(dense.shape[:2], 1e9)
    for row, one in zip(dense_y, Y):
        row[: len(one)] = one
    expected = estimator("LSTM", "SequenceRegressor").fit(X, Y)
    got = estimator("LSTM", "SequenceRegressor").fit(dense, dense_y, lengths=lengths)
    assert got.loss_curve_ == expected.loss_curve_
    assert got.score(dense, dense_y, lengths=lengths) == expected.score(X, Y)
    assert not got.predict(dense, lengths=lengths)[np.arange(8) >= lengths[:, None]].any()


@pytest.mark.parametrize("cell", CELLS)
def test_forecast_is_predict_on_its_own_output(cell):
    regressor = estimator(cell, "SequenceRegressor", n_layers=2, max_iter=5)
    regressor.fit(WAVE[:, :-1], WAVE[:, 1:])
    forecast = regressor.forecast(WAVE[:, :50], 4)
    assert forecast.shape == (4, 4)
    steps = WAVE[:, :50, None]
    for t in range(4):
        expected = regressor.predict(steps)[:, -1]
        np.testing.assert_array_equal(forecast[:, t], expected)
        steps = np.concatenate([steps, expected[:, None, None]], axis=1)


def test_forecast_of_ragged_sequences():
    y = [np.roll(x, -1, axis=0) for x in X]
    regressor = estimator("GRU", "SequenceRegressor", max_iter=3).fit(X, y)
    together = regressor.forecast(X, 3)
    assert together.shape == (len(X), 3, 2)
    alone = np.concatenate([regressor.forecast([x], 3) for x in X])
    np.testing.assert_array_equal(together, alone)


def test_forecast_follows_a_wave():
    regressor = estimator("LSTM", "SequenceRegressor", hidden_size=16, max_iter=300)
    regressor.fit(WAVE[:, :-1], WAVE[:, 1:])
    forecast = regressor.forecast(WAVE[:, :140], 100)
    assert np.sqrt(np.mean((forecast - WAVE[:, 140:]) ** 2)) < 0.2


def test_forecast_is_refused_where_it_makes_no_sense():
    regressor = estimator("GRU", "SequenceRegressor", max_iter=2).fit(X, Y)
    with pytest.raises(ValueError, match="1 outputs and 2 features"):
        regressor.forecast(X, 3)
    wave = estimator("GRU", "SequenceRegressor", max_iter=2, bidirectional=True).fit(WAVE, WAVE)
    with pytest.raises(ValueError, match="bidirectional=False"):
        wave.forecast(WAVE, 3)
    with pytest.raises(ValueError, match="n_steps"):
        estimator("GRU", "SequenceRegressor", max_iter=2).fit(WAVE, WAVE).forecast(WAVE, 0)


def test_truncated_backpropagation_learns_the_same_task():
    whole = estimator("GRU", "SequenceRegressor", max_iter=20).fit(WAVE[:, :-1], WAVE[:, 1:])
    cut = estimator("GRU", "SequenceRegressor", max_iter=20, bptt_steps=30)
    cut.fit(WAVE[:, :-1], WAVE[:, 1:])
    assert cut.score(WAVE[:, :-1], WAVE[:, 1:]) > 0.9
    assert cut.loss_ != whole.loss_


def test_wrong_y_is_refused():
    regressor = estimator("GRU", "SequenceRegressor")
    with pytest.raises(ValueError, match=f"sequence 0 has {len(X[0])} steps but 1 targets"):
        regressor.fit(X, [np.zeros(1)] + Y[1:])
    with pytest.raises(ValueError, match="y must have a labelled step, but every target is NaN"):
        regressor.fit(X, [one * np.nan for one in Y])
