"""Regressors do not depend on where y lies and how far it spreads."""

import numpy as np
import pytest
from estimators.problems import estimator, numbers_of, ragged
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tolerances import assert_close

import rnnkit

X = ragged(30)
TASKS = {
    "Regressor": np.array([x[-1].sum() for x in X]),
    "SequenceRegressor": numbers_of(X),
}
LOSSES = ("squared", "absolute", "quantile", "huber")
UNITS = [(1e-3, 0.0), (1e4, 0.0), (1.0, 1e4), (3.0, -5.0)]


def moved(y, a, b):
    return [a * part + b for part in y] if isinstance(y, list) else a * y + b


def flat(prediction):
    return np.concatenate(list(prediction)) if prediction.dtype == object else prediction


@pytest.mark.parametrize("a, b", UNITS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("task", TASKS)
def test_the_unit_of_y_changes_nothing(task, loss, a, b):
    y = TASKS[task]
    delta = 0.5 * a if loss == "huber" else 1.0
    plain = estimator("GRU", task, loss=loss, huber_delta=0.5, max_iter=8).fit(X, y)
    other = estimator("GRU", task, loss=loss, huber_delta=delta, max_iter=8)
    other.fit(X, moved(y, a, b))
    error = (flat(other.predict(X)) - b) / a - flat(plain.predict(X))
    # Standardized targets differ by the rounding of a y + b, which eight epochs of GRU carry on.
    allowed = 1e6 * np.finfo(np.float64).eps * (1 + abs(b) / a)
    assert np.abs(error).max() < allowed
    power = 2 if loss in ("squared", "huber") else 1
    np.testing.assert_allclose(
        np.array(other.loss_curve_) / a**power, plain.loss_curve_, rtol=1e-9 * (1 + abs(b) / a)
    )


FAR = {
    **{(cell, task): {} for cell in ("GRU", "EchoState", "Evolino") for task in TASKS},
    ("GRU", "EncoderDecoder"): {},
    **{("GRU", task, loss): {"loss": loss} for task in TASKS for loss in ("absolute", "quantile")},
    ("GRU", "Regressor", "quantiles"): {"loss": "quantile", "quantile": [0.2, 0.8]},
    ("GRU", "Regressor", "early"): {"early_stopping": True},
}


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("unit", [2.0**-700, 2.0**-530, 2.0**530, 2.0**1000])
@pytest.mark.parametrize("kind", FAR, ids=" ".join)
def test_units_whose_squares_are_no_floats_change_nothing(kind, unit, several):
    """Written sequences have as many steps each, so that `predict` knows how many."""
    cell, task, *_ = kind
    y = TASKS["Regressor" if task == "Regressor" else "SequenceRegressor"]
    if several:
        y = (
            [np.stack([part, part[..., ::-1]], -1) for part in y]
            if isinstance(y, list)
            else (np.stack([y, y[::-1]], -1))
        )
    if task == "EncoderDecoder":
        y = [part[:3] for part in y]
    if cell == "GRU":
        model = estimator(cell, task, max_iter=3, **FAR[kind])
    else:
        model = getattr(rnnkit, cell + task)(4, random_state=0)
    if cell == "Evolino":
        model.set_params(generations=2, population=8)
    other = clone(model).fit(X, moved(y, unit, 0.0))
    model.fit(X, y)
    found, expected = (
        np.concatenate([np.atleast_1d(part) for part in m.predict(X)]) for m in (other, model)
    )
    np.testing.assert_allclose(found / unit, expected, rtol=1e-9, atol=1e-9)
    assert other.score(X, moved(y, unit, 0.0)) == pytest.approx(model.score(X, y), rel=1e-9)


def test_every_output_has_its_own_scale():
    y = np.stack([x[-1] for x in X])
    plain = estimator("LSTM", "Regressor", max_iter=8).fit(X, y)
    other = estimator("LSTM", "Regressor", max_iter=8).fit(X, y * [1024.0, 1.0] + [0.0, 0.0])
    assert_close(other.predict(X) / [1024.0, 1.0], plain.predict(X), np.float64, 100)


def test_a_constant_is_predicted():
    for c in (0.0, 7.0, -1e-6):
        fitted = estimator("LSTM", "Regressor").fit(X, np.full(len(X), c))
        assert np.abs(fitted.predict(X) - c).max() <= 0.1 * (abs(c) or 1.0)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_streams_forecasts_and_resumed_fits_speak_the_unit_of_y(dtype):
    waves = np.sin(np.arange(240) / 5).reshape(6, 40).astype(dtype)
    y = 1e3 * waves[:, 1:] + 500
    series = 1e3 * waves + 500
    model = estimator("GRU", "SequenceRegressor", hidden_size=16).fit(series[:, :-1], y)
    last = model.predict(series[:1])[0, -1]
    stream = model.stream()
    for value in series[0]:
        step = stream.step([value])
    np.testing.assert_array_equal(step, last)
    assert abs(model.forecast(series, 1)[0, 0] - last) <= 1e-3 * abs(last)
    before = model.predict(series)
    model.set_params(warm_start=True, max_iter=1, learning_rate_init=1e-30)
    np.testing.assert_array_equal(model.fit(series[:, :-1], 2 * y).predict(series), before)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("task", TASKS)
def test_a_quantile_of_heavy_tails_is_that_quantile_of_the_training_data(task, quantile):
    """At default parameters, on log-normal numbers."""
    rng = np.random.RandomState(0)
    sales = [np.exp(1.5 * rng.randn(len(x)) + 6 + x[:, 0]) for x in X]
    y = np.array([s[-1] for s in sales]) if task == "Regressor" else sales
    model = getattr(rnnkit, f"GRU{task}")(loss="quantile", quantile=quantile, random_state=0)
    model.set_params(max_iter=20)
    weights = np.arange(1.0, len(X) + 1) if task == "Regressor" else None
    covered = flat(np.array(y) if task == "Regressor" else np.concatenate(y)) <= flat(
        model.fit(X, y, sample_weight=weights).predict(X)
    )
    assert abs(np.average(covered, weights=weights) - quantile) <= 0.05


def test_outliers_do_not_move_absolute_and_huber_losses():
    rng = np.random.RandomState(0)
    series = rng.randn(300, 6, 1)
    y = series[:, -1, 0].copy()
    y[:3] = 1e5
    for loss in ("absolute", "huber"):
        model = rnnkit.LSTMRegressor(16, loss=loss, random_state=0).fit(series, y)
        assert np.median(np.abs(model.predict(series)[3:] - y[3:])) < 0.5


def test_a_fit_that_learns_nothing_says_so():
    noise = np.zeros(len(X))
    noise[::2] = 1.0
    constant = [np.ones_like(x[:4]) for x in X]
    model = rnnkit.GRUClassifier(4, max_iter=120, learning_rate="linear", random_state=0)
    with pytest.warns(ConvergenceWarning, match="Nothing was learnt"):
        model.fit([x[:3] for x in constant], noise)
