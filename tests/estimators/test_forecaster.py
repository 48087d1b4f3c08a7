"""Forecasters: what is taken out is put back, what came later is never seen, every form answers."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from estimators.options import OPTIONS, WITHOUT_RESULT
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from tolerances import tolerance

import rnnkit
from rnnkit.callbacks import Checkpoint, CSVLogger, TimeLimit
from rnnkit.estimators.forecasting.profile import (
    Profile,
    Treatment,
    choose_treatment,
    coefficients,
    continued,
    differences,
)
from rnnkit.estimators.forecasting.smoothing import fit_smoothing, smoothed
from rnnkit.estimators.forecasting.steps import Steps, cut, warm_up

CELLS = ("RNN", "LSTM", "GRU")
STRATEGIES = ("direct", "recursive", "encoder-decoder")
T = np.arange(90)
SERIES = 5 + 0.05 * T + np.sin(2 * np.pi * T / 12) + 0.1 * np.random.RandomState(0).randn(90)
SMALL = {"n_estimators": 2, "max_iter": 3, "random_state": 0, "seasonality": 12}


def small(cell="GRU", **parameters):
    return getattr(rnnkit, f"{cell}Forecaster")(4, **{**SMALL, **parameters})


@pytest.mark.parametrize("lags", [(), (1,), (12,), (1, 12), (1, 1)])
@pytest.mark.parametrize("period", [1, 12])
@pytest.mark.parametrize("log", [False, True])
def test_what_is_taken_out_is_put_back(lags, period, log):
    values = np.stack([SERIES, SERIES[::-1] ** 2], axis=1)
    head, after = values[:70], values[70:]
    profile = Profile.fit(head, Treatment(log, period, lags))
    z = profile.apply(values)
    assert np.allclose(profile.invert(z[70:], 70), after, rtol=tolerance(np.float64, 1000))
    # Changes of zero, and then the true ones, lead back to the true steps.
    steps = Steps(z, lags, 20, None, None, None)
    targets = steps.targets(20)[69 - steps.first]
    path = steps.base(20, np.array([69]))[0] + targets
    assert np.allclose(profile.invert(path, 70), after, rtol=tolerance(np.float64, 1000))
    assert np.allclose(differences(z[:70], lags).std(axis=0), 1)


def smoothed_by_hand(x, alpha, beta, phi, level, trend, n_steps):
    """Return the path after each step, by the recurrence as it is written."""
    paths = []
    for value in x:
        error = value - (level + phi * trend)
        level, trend = level + phi * trend + alpha * error, phi * trend + alpha * beta * error
        paths.append(
            [level + trend * sum(phi**k for k in range(1, s + 1)) for s in range(1, n_steps + 1)]
        )
    return np.array(paths)


@pytest.mark.parametrize(
    "way", [(0.3, 0.2, 0.9), (0.5, 0.0, 1.0), (0.4, 0.0, 0.0), (1.0, 0.4, 1.0), (0.05, 0.02, 0.8)]
)
def test_level_and_trend_are_smoothed(way):
    z = np.random.RandomState(0).randn(60, 2).cumsum(axis=0)
    tables = [np.array([[0.25, *way, z[0, k], 0.1], [0.75, 0, 0, 0, 2.0, 0]]) for k in range(2)]
    rows = np.arange(60)
    found = smoothed(z, tables, 5, rows)
    for k in range(2):
        expected = smoothed_by_hand(z[:, k], *way, z[0, k], 0.1 if way[2] else 0.0, 5)
        assert np.allclose(found[:, :, k], 0.25 * expected + 0.75 * 2.0)
    assert np.array_equal(smoothed(z[:40], tables, 5, rows[:40]), found[:40])  # nothing later


def test_what_smooths_best_is_found():
    rng = np.random.RandomState(0)
    t = np.arange(300)
    walk = rng.randn(300).cumsum()
    noise = rng.randn(300)
    slow = 0.1 * rng.randn(300).cumsum() + noise
    line = 0.5 * t + rng.randn(300)
    for x, low, high in [(walk, 0.7, 1.0), (noise, 0.0, 0.1), (slow, 0.0, 0.3)]:
        (table,), wider = fit_smoothing(x[:, None], 5)
        assert (wider >= 1).all()
        assert np.isclose(table[:, 0].sum(), 1)
        assert low <= table[:, 0] @ table[:, 1] <= high
    path = smoothed(line[:, None], fit_smoothing(line[:, None], 5)[0], 10, np.array([299]))
    assert np.allclose(path[0, :, 0], 0.5 * np.arange(300, 310), atol=1.5)
    still = np.full((50, 1), 7.0)
    assert np.allclose(smoothed(still, fit_smoothing(still, 5)[0], 3, np.array([49])), 7.0)


def test_smoothing_is_for_levels_that_wander():
    """Noise around a slow level: its last value says little."""
    rng = np.random.RandomState(1)
    errors = {"auto": [], None: []}
    for _ in range(8):
        y = 0.1 * rng.randn(90).cumsum() + rng.randn(90)
        for smoothing, found in errors.items():
            forecaster = small(smoothing=smoothing, difference=1, seasonality=None, horizon=4)
            found.append(np.abs(forecaster.fit(y[:86]).predict() - y[86:]).mean())
    assert np.mean(errors["auto"]) < 0.9 * np.mean(errors[None])
    for same in ({"difference": [1, 12]}, {"strategy": "recursive"}):
        pair = [small(smoothing=s, horizon=4, **same).fit(SERIES).predict() for s in errors]
        assert np.array_equal(*pair)


@pytest.mark.parametrize("lags", [(1,), (12,), (1, 12), (2, 3)])
def test_a_series_goes_on_with_differences_of_zero(lags):
    z = np.random.RandomState(0).randn(40, 2)
    path = continued(z, lags, 9, np.array([39, 30]))
    for start, ahead in zip((40, 31), path):
        longer = np.concatenate([z[:start], ahead])
        assert np.allclose(differences(longer, lags)[-9:], 0, atol=1e-12)
    assert np.array_equal(coefficients(()), np.empty(0))


def test_treatment_is_found():
    rng = np.random.RandomState(0)
    t = np.arange(120)
    season = np.sin(2 * np.pi * t / 12)
    auto = ("auto", "auto", "auto", 0)
    growing = np.exp(0.01 * t + 0.2 * season + 0.02 * rng.randn(120))[:, None]
    assert choose_treatment([growing], *auto) == Treatment(True, 12, (1,))
    level = (season + 0.2 * rng.randn(120))[:, None]
    assert choose_treatment([level], *auto) == Treatment(False, 12, ())
    noise = rng.randn(200)[:, None]
    assert choose_treatment([noise], *auto) == Treatment(False, 1, ())
    assert choose_treatment([level], None, None, [1, 12], 0) == Treatment(False, 1, (1, 12))
    weekly = np.sin(2 * np.pi * t / 7)[:, None]
    assert choose_treatment([weekly], *auto).period == 7
    assert choose_treatment([weekly], "auto", "auto", "auto", 12).period == 1


def test_windows_hold_every_answer_and_no_later_input():
    z = np.arange(50.0)[:, None]
    steps = Steps(z, (1,), 5, None, None, None)
    windows = cut([steps], 5, 16)
    seen = np.zeros((50, 5), bool)
    for inputs, targets, (_, start) in zip(windows.inputs, windows.targets, windows.places):
        assert len(inputs) == len(targets) <= 16
        seen[start + 1 : start + 1 + len(targets)] |= ~np.isnan(targets[:, :, 0])
    rows = np.arange(50)[:, None] + np.arange(1, 6)
    expected = (rows < 50) & (np.arange(50)[:, None] >= 1 + warm_up(16))
    assert np.array_equal(seen, expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("cell", CELLS)
def test_one_series(cell, strategy):
    forecaster = small(cell, strategy=strategy, horizon=8).fit(SERIES)
    assert forecaster.predict().shape == (8,)
    assert np.array_equal(forecaster.predict([3, 5]), forecaster.predict()[[2, 4]])
    assert np.array_equal(forecaster.predict(3), forecaster.predict()[2:3])
    quantiles = forecaster.predict_quantiles(quantiles=[0.1, 0.3, 0.5, 0.9, 0.95])
    assert quantiles.shape == (8, 5)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    interval = forecaster.predict_interval([1, 8], [0.8, 0.9])
    assert interval.shape == (2, 4)
    assert np.allclose(interval[:, :2], forecaster.predict_quantiles([1, 8], [0.1, 0.9]))
    again = clone(forecaster).fit(SERIES)
    assert np.array_equal(again.predict(), forecaster.predict())


def test_unit_does_not_matter():
    a = small(stabilize=None, horizon=6).fit(SERIES).predict()
    b = small(stabilize=None, horizon=6).fit(8 * SERIES - 16).predict()
    assert np.allclose(8 * a - 16, b, rtol=1e-6)


def test_recursive_goes_on_for_any_number_of_steps():
    forecaster = small(strategy="recursive", horizon=5).fit(SERIES)
    assert np.array_equal(forecaster.predict(range(1, 31))[:5], forecaster.predict())
    with pytest.raises(ValueError, match="must not exceed horizon_=5"):
        forecaster.predict_interval(6)


FORMS = {
    "array": SERIES,
    "channels": np.stack([SERIES, SERIES[::-1]], axis=1),
    "polars": pl.Series("x", SERIES),
    "list": [SERIES, SERIES[10:] * 3],
    "sequences": rnnkit.Sequences.from_list([SERIES[:, None], SERIES[20:, None]]),
    "dense": np.stack([SERIES, SERIES[::-1]])[:, :, None],
    "series": pd.Series(SERIES, pd.period_range("2000-01", periods=90, freq="M"), name="x"),
    "frame": pd.DataFrame(
        {"a": SERIES, "b": SERIES[::-1]}, pd.date_range("2000-01-01", periods=90, freq="D")
    ),
    "integers": pd.Series(SERIES, np.arange(10, 190, 2)),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("form", FORMS)
def test_forms(form, strategy):
    y = FORMS[form]
    forecaster = small(strategy=strategy).fit(y, fh=range(1, 7))
    found = forecaster.predict()
    if form in ("list", "sequences", "dense"):
        assert len(found) == 2
        assert found[0].shape == ((6,) if form == "list" else (6, 1))
        assert type(found) is (rnnkit.Sequences if form == "sequences" else list)
        assert forecaster.predict_interval()[1].shape[0] == 6
    elif form in ("series", "frame", "integers"):
        assert type(found) is type(y)
        step = y.index[1] - y.index[0]
        assert found.index[0] == y.index[-1] + step
        assert found.index[5] == y.index[-1] + 6 * step
        columns = forecaster.predict_interval(coverage=[0.8]).columns
        names = {"series": "x", "integers": 0}
        assert columns[1] == (names.get(form, "a"), 0.8, "upper")
        plain = small(strategy=strategy, seasonality=12).fit(np.asarray(y), fh=range(1, 7))
        assert np.array_equal(np.asarray(found), plain.predict())
    else:
        assert found.shape == ((6, 2) if form == "channels" else (6,))


def test_dtype():
    found = small(horizon=4).fit(SERIES.astype(np.float32))
    assert found.predict().dtype == found.predict_interval().dtype == np.float32
    assert found.estimators_[0].network_.dtype == np.float32
    assert np.allclose(found.predict(), small(horizon=4).fit(SERIES).predict(), rtol=1e-3)


def test_index_tells_the_season():
    for freq, period in {"D": 7, "MS": 12, "h": 24, "QS": 4, "YS": 1, "B": 5}.items():
        t = np.arange(120)
        y = np.sin(2 * np.pi * t / (period if period > 1 else 12)) + 0.01 * t
        y = pd.Series(y, pd.date_range("2000-01-03", periods=120, freq=freq))
        assert small(seasonality="auto", horizon=3).fit(y).treatment_["period"] == period


def test_an_encoder_decoder_refuses_known_covariates():
    with pytest.raises(ValueError, match="X must be None with strategy='encoder-decoder'"):
        small(strategy="encoder-decoder").fit(SERIES, np.ones((len(SERIES), 1)))


@pytest.mark.parametrize("strategy", STRATEGIES[:2])
def test_known_covariates_are_read_at_the_steps_that_are_forecast(strategy):
    rng = np.random.RandomState(0)
    x = rng.randn(220)
    y = 3 * x + 0.1 * rng.randn(220)
    forecaster = rnnkit.GRUForecaster(
        16, strategy=strategy, n_estimators=2, random_state=0, max_iter=80, learning_rate_init=0.01
    ).fit(y[:200], x[:200, None], fh=range(1, 6))
    assert np.corrcoef(forecaster.predict(X=x[200:205, None]), y[200:205])[0, 1] > 0.9
    for wrong in (None, x[:4, None], np.ones((5, 2))):
        with pytest.raises(ValueError, match="X must"):
            forecaster.predict(X=wrong)


def test_past_and_static_covariates():
    rng = np.random.RandomState(0)
    x = rng.randn(200)
    y = np.concatenate([[0], 3 * x[:-1]]) + 0.1 * rng.randn(200)
    forecaster = rnnkit.GRUForecaster(
        16, n_estimators=2, random_state=0, max_iter=80, learning_rate_init=0.01, seasonality=None
    ).fit(y, fh=1, past_covariates=x[:, None])
    assert abs(forecaster.predict()[0] - 3 * x[-1]) < 1.0
    with pytest.raises(ValueError, match="strategy='recursive'"):
        small(strategy="recursive").fit(y, past_covariates=x)
    rise = np.cumsum(1 + rng.randn(150))
    fall = np.cumsum(-1 + rng.randn(150))
    for static in ("steps", "state"):
        two = rnnkit.GRUForecaster(
            8, static=static, difference=1, stabilize=None, seasonality=None, random_state=0
        ).fit([rise, fall], fh=range(1, 6), static_covariates=[[0.0], [1.0]])
        first, second = two.predict()
        assert first[-1] > rise[-1] + 2  # only what does not change tells which one it is
        assert second[-1] < fall[-1] - 2
    with pytest.raises(ValueError, match="needs static_covariates"):
        small(static="state").fit(SERIES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_update_goes_on(strategy):
    y = FORMS["series"]
    forecaster = small(strategy=strategy, horizon=6).fit(y[:80])
    before = forecaster.predict()
    weights = [e.network_.parameters.flat.copy() for e in forecaster.estimators_]
    forecaster.update(y[80:85]).update(y[85:86])
    after = forecaster.predict()
    assert after.index[0] == y.index[86]
    assert not np.array_equal(before, after)
    for old, network in zip(weights, forecaster.estimators_):
        assert np.array_equal(old, network.network_.parameters.flat)
    with pytest.raises(ValueError, match="must go on where it ended"):
        forecaster.update(y[87:])
    refitted = forecaster.update(y[86:], refit=True).predict()
    assert np.array_equal(refitted, small(strategy=strategy, horizon=6).fit(y).predict())


def test_what_comes_later_changes_nothing_before():
    other = SERIES.copy()
    other[80:] = 99.0
    a, b = (small(horizon=5).fit(y[:80]).predict() for y in (SERIES, other))
    assert np.array_equal(a, b)


def test_copies(tmp_path):
    for y in (FORMS["frame"], FORMS["list"]):
        forecaster = small(horizon=5).fit(y)
        again = pickle.loads(pickle.dumps(forecaster))
        rnnkit.save(forecaster, tmp_path / "f.safetensors")
        loaded = rnnkit.load(tmp_path / "f.safetensors")
        for other in (again, loaded):
            assert other.get_params() == forecaster.get_params()
            for method in ("predict", "predict_interval"):
                one, two = getattr(forecaster, method)(), getattr(other, method)()
                pairs = zip(one, two) if isinstance(one, list) else [(one, two)]
                for a, b in pairs:
                    assert type(a) is type(b)
                    assert np.array_equal(np.asarray(a), np.asarray(b))
                    if isinstance(a, pd.DataFrame):
                        assert a.index.equals(b.index)
                        assert a.columns.equals(b.columns)


def test_score_and_search():
    forecaster = small(horizon=6).fit(SERIES[:80])
    unit = np.abs(SERIES[12:80] - SERIES[:68]).mean()
    expected = -np.abs(forecaster.predict() - SERIES[80:86]).mean() / unit
    assert np.isclose(forecaster.score(SERIES[80:86]), expected)
    assert np.isclose(
        forecaster.score(SERIES[[81, 83]], fh=[2, 4]),
        -np.abs(forecaster.predict([2, 4]) - SERIES[[81, 83]]).mean() / unit,
    )
    search = GridSearchCV(
        small(horizon=6), {"hidden_size": [2, 3]}, cv=TimeSeriesSplit(2, test_size=6)
    ).fit(SERIES)
    assert set(search.cv_results_["mean_test_score"]) != {np.nan}
    assert search.predict(range(1, 7)).shape == (6,)


def test_refused():
    with pytest.raises(NotFittedError):
        small().predict()
    missing = SERIES.copy()
    missing[7] = np.nan
    disordered = FORMS["series"].iloc[::-1]
    gap = FORMS["series"].drop(FORMS["series"].index[4])
    for y, text in {
        "must be a series": None,
        "nan at step 7": missing,
        "in the order of its index": disordered,
        "evenly spaced": gap,
        "need at least": SERIES[:20],
        "at least one step": np.empty(0),
    }.items():
        with pytest.raises(ValueError, match=y):
            small().fit(text)
    forecaster = small(horizon=4).fit(SERIES)
    before = forecaster.predict()
    for fh in (0, -1, 1.5, [], [[1]], "a"):
        with pytest.raises(ValueError, match="fh must be"):
            forecaster.predict(fh)
    with pytest.raises(ValueError, match="must not exceed horizon_=4"):
        forecaster.predict(5)
    for q in (0, 1, [0.5, 2], [], "a"):
        with pytest.raises(ValueError, match="quantiles must be"):
            forecaster.predict_quantiles(quantiles=q)
    for wrong in ({"strategy": "seq2seq"}, {"window": 1}, {"difference": [0]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            small(**wrong).fit(SERIES)
    with pytest.raises(ValueError, match="positive"):
        small(stabilize="log").fit(-SERIES)
    with pytest.raises(ValueError):
        forecaster.fit(missing)
    assert np.array_equal(forecaster.predict(), before)


def test_backtest_sees_nothing_later_and_scores_what_came():
    y = FORMS["series"]
    found = small(horizon=6).backtest(y, splits=2)
    assert found["cutoff"].tolist() == [77, 83]
    for cutoff, forecast, interval in zip(found["cutoff"], found["forecasts"], found["intervals"]):
        alone = small().fit(y[: cutoff + 1], fh=range(1, 7))
        assert forecast.equals(alone.predict())
        assert interval.equals(alone.predict_interval(coverage=0.8))
    unit = np.abs(SERIES[12:84] - SERIES[:72]).mean()
    off = np.abs(found["forecasts"][1].to_numpy() - SERIES[84:]).mean()
    assert np.isclose(found["mase"][1], off / unit)
    ends = found["intervals"][0].to_numpy()
    inside = (ends[:, 0] <= SERIES[78:84]) & (SERIES[78:84] <= ends[:, 1])
    assert np.isclose(found["coverage"][0], inside.mean())


@pytest.mark.parametrize("refit", [True, False])
def test_backtest_takes_splitters_and_covariates(refit):
    x = np.random.RandomState(1).randn(90, 1)
    splitter = TimeSeriesSplit(3, test_size=5, gap=2)
    found = small().backtest(SERIES, x, splits=splitter, past_covariates=x, refit=refit)
    assert found["cutoff"].tolist() == [72, 77, 82]
    assert all(forecast.shape == (5,) for forecast in found["forecasts"])
    pairs = [(np.arange(10, 80), np.array([81, 84]))]
    assert small().backtest(SERIES, splits=pairs)["forecasts"][0].shape == (2,)
    both = small().backtest(FORMS["channels"], fh=[1, 4], splits=1)
    assert both["forecasts"][0].shape == (2, 2)


def test_backtest_refuses():
    for arguments, text in [
        ({"splits": 2}, "fh must be given"),
        ({"splits": TimeSeriesSplit(2), "fh": 3}, "beside a splitter"),
        ({"splits": []}, "at least one pair"),
        ({"splits": [([0, 2], [3])]}, "follow each other"),
        ({"splits": [(range(50), [40])]}, "later ones"),
    ]:
        with pytest.raises(ValueError, match=text):
            small().backtest(SERIES, **arguments)
    with pytest.raises(ValueError, match="one series"):
        small(horizon=4).backtest(FORMS["list"])


OWN = {
    "strategy": "recursive",
    "window": 8,
    "stabilize": "log",
    "seasonality": 6,
    "difference": [1, 12],
    "learning_rate_init": 0.02,
    "n_estimators": 1,
    "loss": "absolute",
    "smoothing": None,
    "batch_size": 3,
}


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_has_an_effect(cell):
    settings = {"max_iter": 8, "n_estimators": 2, "random_state": 0, "learning_rate_init": 0.05}
    settings |= {"difference": None, "seasonality": None, "tol": 0.0}
    make = getattr(rnnkit, f"{cell}Forecaster")
    y = 9 + np.sin(T) + 0.1 * np.random.RandomState(0).randn(90)  # no season, but predictable

    def forecast(**parameters):
        return make(**{"hidden_size": 4, **settings, **parameters}).fit(y, fh=[1, 4]).predict()

    usual = forecast()
    for name in make().get_params():
        if name in WITHOUT_RESULT or name in ("horizon", "static"):  # which have tests of their own
            continue
        if name in OWN:
            value, needs = OWN[name], {}
        else:
            value, needs, _ = OPTIONS[name]
        needs = {key: need for key, need in needs.items() if key in make().get_params()}
        base = forecast(**needs) if needs else usual
        if name in ("tol", "n_iter_no_change"):  # which never stop so short a training
            assert forecast(**needs, **{name: value}).shape == (2,)
            continue
        assert not np.array_equal(forecast(**{**needs, name: value}), base), name
    assert make(horizon=4, **settings).fit(y).predict().shape == (4,)


@pytest.mark.parametrize("difference", [None, 1])
def test_intervals_hold_what_they_say(difference):
    """Noise, and walks that are short beside the horizon, where plain quantiles are too narrow."""
    rng = np.random.RandomState(0)
    noise = rng.randn(40, 92)
    inside = []
    for y in noise if difference is None else noise.cumsum(axis=1):
        forecaster = small(
            max_iter=1, seasonality=None, stabilize=None, difference=difference, horizon=12
        ).fit(y[:80])
        ends = forecaster.predict_interval(coverage=0.8)
        inside.append(((ends[:, 0] <= y[80:]) & (y[80:] <= ends[:, 1])).mean())
    assert abs(np.mean(inside) - 0.8) < 0.06


def test_what_is_the_same_everywhere_goes_on_so():
    for strategy in STRATEGIES:
        still = small(strategy=strategy, seasonality="auto", horizon=3).fit(np.full(60, 7.0))
        assert np.array_equal(still.predict_interval(), np.full((3, 2), 7.0))
        line = small(strategy=strategy, seasonality="auto", horizon=3).fit(2.0 * np.arange(60))
        assert np.allclose(line.predict(), [120, 122, 124])


@pytest.mark.parametrize("cell", CELLS)
def test_an_encoder_decoder_writes_what_comes(cell):
    """A wave whose phase the window alone tells; what is written is read in the next step."""
    t = np.arange(200)
    wave = np.sin(2 * np.pi * t / 17)
    forecaster = getattr(rnnkit, f"{cell}Forecaster")(
        16,
        strategy="encoder-decoder",
        horizon=10,
        window=20,
        n_estimators=2,
        max_iter=100,
        random_state=0,
        seasonality=None,
        difference=None,
    ).fit(wave[:180])
    assert type(forecaster.estimators_[0]).__name__ == f"{cell}EncoderDecoder"
    assert forecaster.weight_ > 0.9
    assert np.abs(forecaster.predict() - wave[180:190]).max() < 0.3
    for wrong in ({"loss": "huber"}, {"static": "state"}, {"device": "cuda"}):
        name, value = next(iter(wrong.items()))
        with pytest.raises(ValueError, match=f"'{name}'.*encoder-decoder.*Got '{value}'"):
            small(strategy="encoder-decoder", **wrong).fit(SERIES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_say_which_steps_count(strategy):
    """The series changes its course; with no weight on what was before, that is not learnt."""
    rng = np.random.RandomState(0)
    t = np.arange(200)
    y = np.where(t < 100, np.sin(2 * np.pi * t / 9), 5 + 0.2 * rng.randn(200))
    late = (t >= 110).astype(float)
    settings = {
        "strategy": strategy, "horizon": 4, "window": 12, "n_estimators": 2, "max_iter": 20,
        "difference": None, "seasonality": None, "random_state": 0,
    }  # fmt: skip

    def fitted(weights, y=y):
        return rnnkit.GRUForecaster(8, **settings).fit(y, sample_weight=weights)

    plain, weighted = fitted(None), fitted(late)
    width = [np.diff(f.predict_interval(coverage=0.8), axis=1).mean() for f in (plain, weighted)]
    assert width[1] < width[0]
    assert np.abs(weighted.predict() - 5).max() < 0.5
    equal = fitted(np.full(200, 2.0))
    assert np.allclose(equal.predict(), plain.predict(), rtol=1e-6)
    assert np.allclose(equal.predict_interval(), plain.predict_interval(), rtol=1e-2)
    # What does not count is read, but no answer.
    other = y.copy()
    other[:40] = 9.0
    assert not np.array_equal(fitted(late, other).predict(), weighted.predict())
    # Of many series each may count by itself, or each of its steps.
    falling = [y, 5 - 0.1 * t + rng.randn(200)]
    one = fitted([1.0, 0.25], falling)
    assert not np.array_equal(*(f.predict_interval()[0] for f in (one, fitted(None, falling))))
    steps = [np.full(200, 1.0), np.full(200, 0.25)]
    for given in (steps, np.stack(steps)):
        assert np.array_equal(fitted(given, falling).predict()[0], one.predict()[0])


def test_weights_of_later_steps_and_bad_ones():
    weights = np.linspace(0.5, 1, 90)
    forecaster = small(horizon=4).fit(SERIES[:80], sample_weight=weights[:80])
    forecaster.update(SERIES[80:85], sample_weight=weights[80:85])
    forecaster.update(SERIES[85:], sample_weight=weights[85:], refit=True)
    whole = small(horizon=4).fit(SERIES, sample_weight=weights)
    assert np.array_equal(forecaster.predict_interval(), whole.predict_interval())
    forecaster = small(horizon=4).fit(SERIES[:80], sample_weight=weights[:80])
    forecaster.update(SERIES[80:], refit=True)  # these count as the last one
    expected = np.append(weights[:80], np.repeat(weights[79], 10))
    whole = small(horizon=4).fit(SERIES, sample_weight=expected)
    assert np.array_equal(forecaster.predict(), whole.predict())
    for wrong, text in [
        (np.ones(80), "sample_weight must have shape"),
        (np.zeros(90), "sample_weight must hold a weight above 0, got zeros alone"),
        (-np.ones(90), "[Nn]egative"),
        (1.0, "sample_weight must have shape"),
        (np.where(np.arange(90) > 88, 1.0, 0.0), "sample_weight must be above 0 at steps"),
    ]:
        with pytest.raises(ValueError, match=text):
            small(horizon=4).fit(SERIES, sample_weight=wrong)
    with pytest.raises(ValueError, match="sample_weight must be None as in fit"):
        small(horizon=4).fit(SERIES[:80]).update(SERIES[80:], sample_weight=np.ones(10))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_callbacks_see_the_epochs_of_all_networks(strategy, tmp_path):
    seen = []

    def look(epoch):
        seen.append((epoch.epoch, epoch.estimator, epoch.is_best))
        return epoch.epoch == 2

    log = tmp_path / "log.csv"
    forecaster = small(strategy=strategy, horizon=4).set_callbacks(look, CSVLogger(log))
    forecaster.fit(SERIES)
    assert [number for number, _, _ in seen] == [1, 2, 3, 4, 5]  # the first network ends early
    assert all(estimator is forecaster for _, estimator, _ in seen)
    assert len(log.read_text().splitlines()) == 6
    assert not any(hasattr(network, "_skl_callbacks") for network in forecaster.estimators_)
    seen.clear()
    forecaster.update(SERIES[:5])
    assert not seen
    forecaster.update(SERIES[:5], refit=True)
    assert len(seen) == 5
    quiet = small(strategy=strategy, horizon=4).fit(SERIES)
    watched = clone(quiet).set_callbacks(lambda epoch: None).fit(SERIES)
    assert np.array_equal(watched.predict(), quiet.predict())


def test_callbacks_end_and_refuse(tmp_path):
    short = small(horizon=4, max_iter=1000, n_iter_no_change=1000)
    short.set_callbacks(TimeLimit(1e-9)).fit(SERIES)
    assert [network.n_iter_ for network in short.estimators_] == [1, 1]
    kept = small(horizon=4).fit(SERIES)
    before = kept.predict()
    kept.set_callbacks(Checkpoint(tmp_path / "best.safetensors"))
    with pytest.raises(TypeError, match="Checkpoint has nothing to keep"):
        kept.fit(SERIES)
    assert np.array_equal(kept.predict(), before)
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match="callbacks must be"):
        kept.set_callbacks(3)
    rnnkit.save(kept.set_callbacks(print), tmp_path / "f.safetensors")
    assert np.array_equal(rnnkit.load(tmp_path / "f.safetensors").predict(), before)


def test_callbacks_of_scikit_learn_reach_the_networks():
    callback = pytest.importorskip("sklearn.callback")
    told = []

    class Telling:
        max_propagation_depth = None

        def setup(self, estimator, context):
            told.append(("setup", type(estimator).__name__))

        def teardown(self, estimator, context):
            told.append(("teardown", type(estimator).__name__))

        def on_fit_task_begin(self, estimator, context):
            told.append((context.task_name, type(estimator).__name__))

        def on_fit_task_end(self, estimator, context):
            pass

    assert isinstance(Telling(), callback.AutoPropagatedCallback)
    small(horizon=4).set_callbacks(Telling()).fit(SERIES)
    names = [name for name, _ in told]
    assert told[:2] == [("setup", "GRUForecaster"), ("fit", "GRUForecaster")]
    assert told[-1] == ("teardown", "GRUForecaster")
    assert names.count("fit") == 3  # of the forecaster, and of each network inside
    assert names.count("epoch") == 6


def test_splitters_and_horizons_of_sktime():
    sktime = pytest.importorskip("sktime")
    from sktime.forecasting.base import ForecastingHorizon
    from sktime.split import ExpandingWindowSplitter

    y = FORMS["series"]
    found = small().fit(y, fh=ForecastingHorizon([1, 3])).predict()
    assert found.equals(small().fit(y, fh=[1, 3]).predict()), sktime.__version__
    splitter = ExpandingWindowSplitter(fh=[1, 2], initial_window=80, step_length=4)
    assert small().backtest(y, splits=splitter)["cutoff"].tolist() == [79, 83, 87]


NAMED = {
    "text": ["a", "b", "c"],
    "numbers": [7, 5, 6],
    "counts": [1, 0, 2],
    "dates": np.array(["2020-01-02", "2020-01-01", "2020-01-03"], "M8[D]"),
    "pairs": [("a", 1), ("a", 2), ("b", 1)],
}


@pytest.mark.parametrize("ids", NAMED)
def test_series_with_other_ids_are_refused(ids, tmp_path):
    """A series is never continued by another, in whatever argument and call that comes."""
    names = NAMED[ids]
    whole = np.stack([SERIES, SERIES[::-1], SERIES**2])

    def part(start, end, names=names):
        return rnnkit.Sequences.from_list(list(whole[:, start:end, None]), ids=names)

    def other(given):
        return [given[[2, 0, 1]], rnnkit.Sequences(given.values, given.offsets, ["x", "y", "z"])]

    weights = pd.Series([1.0, 2.0, 3.0], pd.Index(names, name="series", tupleize_cols=False))
    static = pd.DataFrame({"s": [1.0, 2.0, 3.0]}, weights.index)
    now, later, after = part(0, 80), part(80, 84), part(84, 88)
    beside = {"X": now, "past_covariates": now, "sample_weight": weights}
    every = {**beside, "static_covariates": static}
    forecaster = small(horizon=4).fit(now, **every)
    assert np.array_equal(forecaster.predict(X=later).ids, now.ids)
    before = forecaster.predict(X=later).values

    def calls():
        for name in every:
            if name in ("X", "past_covariates"):
                wrong = other(now)
            else:
                wrong = [every[name].iloc[[1, 0, 2]]]
            for given in wrong:
                yield name, small(horizon=4).fit, {"y": now, **every, name: given}
        later_beside = {"X": later, "past_covariates": later, "sample_weight": weights}
        for name in ("y", *beside):
            for given in [weights.iloc[::-1]] if name == "sample_weight" else other(later):
                yield name, forecaster.update, {"y": later, **later_beside, name: given}
        for name in ("y", "X"):
            for given in other(later):
                yield name, forecaster.score, {"y": later, "X": later, name: given}
        for method in ("predict", "predict_interval", "predict_quantiles"):
            for given in other(later):
                yield "X", getattr(forecaster, method), {"X": given}

    for name, method, arguments in calls():
        text = f"The (ids|index) of {name} (has the ids of .* in another order|contradicts)"
        with pytest.raises(ValueError, match=text):
            method(**arguments)
    assert np.array_equal(forecaster.predict(X=later).values, before)
    for given in (later, part(80, 84, None)):  # without ids nothing contradicts
        copy = pickle.loads(pickle.dumps(forecaster))
        copy.update(given, given, past_covariates=given)
        assert np.isfinite(copy.score(after, after))
    if ids in ("text", "numbers", "counts"):  # which files hold
        rnnkit.save(forecaster, tmp_path / "f.safetensors")
        loaded = rnnkit.load(tmp_path / "f.safetensors")
        with pytest.raises(ValueError, match="The ids of y has the ids of fit in another order"):
            loaded.update(later[[2, 0, 1]], later, past_covariates=later)


def wrong_names(frame):
    """Yield frames, or lists of such, whose columns are swapped or renamed."""
    if isinstance(frame, list):
        yield from zip(*map(wrong_names, frame))
    elif isinstance(frame, pl.DataFrame):
        yield frame.select(frame.columns[::-1])
        yield frame.rename({frame.columns[0]: "other"})
    else:
        yield frame[frame.columns[::-1]]
        yield frame.rename(columns={frame.columns[0]: "other"})


@pytest.mark.parametrize("form", ["pandas", "polars", "list"])
def test_columns_with_other_names_are_refused(form, tmp_path):
    values = np.stack([SERIES, SERIES[::-1]], axis=1)

    def part(names, start, end):
        rows = {name: values[start:end, k] for k, name in enumerate(names)}
        if form == "polars":
            return pl.DataFrame(rows)
        frame = pd.DataFrame(rows, pd.RangeIndex(start, end))
        return [frame, frame * 2] if form == "list" else frame

    def given(start, end):
        names = {"y": ("a", "b"), "X": ("c", "d"), "past_covariates": ("e", "f")}
        return {name: part(columns, start, end) for name, columns in names.items()}

    forecaster = small(horizon=4).fit(**given(0, 80))
    now, after = given(80, 84), given(84, 88)
    rnnkit.save(forecaster, tmp_path / "f.safetensors")
    for fitted in (forecaster, rnnkit.load(tmp_path / "f.safetensors")):
        before = fitted.predict(X=now["X"])
        calls = {"update": tuple(now), "score": ("y", "X"), "predict": ("X",)}
        calls |= {"predict_interval": ("X",), "predict_quantiles": ("X",)}
        for method, names in calls.items():
            arguments = {name: now[name] for name in names}
            for name in names:
                for wrong in wrong_names(now[name]):
                    text = f"^{name}: The feature names should match those .* passed during fit"
                    with pytest.raises(ValueError, match=text):
                        getattr(fitted, method)(**{**arguments, name: wrong})
        assert np.array_equal(np.asarray(fitted.predict(X=now["X"])), np.asarray(before))
        with pytest.warns(UserWarning, match="X does not have valid feature names, but GRU"):
            fitted.predict(X=[values[80:84], values[80:84]] if form == "list" else values[80:84])
        fitted.update(**now)
        assert np.isfinite(fitted.score(after["y"], after["X"]))
    plain = small(horizon=4).fit(SERIES[:80], values[:80])
    with pytest.warns(UserWarning, match="X has feature names, but GRUForecaster was fitted"):
        plain.predict(X=pd.DataFrame(values[80:84], columns=["c", "d"]))
    if form == "list":
        for name, frames in given(0, 80).items():
            mixed = [frames[0], next(wrong_names(frames[1]))]
            with pytest.raises(ValueError, match="same columns in the same order: frame 1"):
                small(horizon=4).fit(**{**given(0, 80), name: mixed})


def test_columns_of_sequences_with_other_names_are_refused():
    def part(names, start, end):
        steps = np.arange(start, end)
        series = [pd.DataFrame({"id": i, "t": steps, names[0]: SERIES[start:end] + i,
                                names[1]: SERIES[::-1][start:end]}) for i in range(2)]  # fmt: skip
        return rnnkit.Sequences.from_frame(pd.concat(series), "id", "t")

    forecaster = small(horizon=4).fit(part("ab", 0, 80), part("cd", 0, 80))
    now = {"y": part("ab", 80, 84), "X": part("cd", 80, 84)}
    for name, others in {"y": ("ba", "ax"), "X": ("dc", "xd")}.items():
        for names in others:
            given = {**now, name: part(names, 80, 84)}
            for method in ("update", "score"):
                with pytest.raises(ValueError, match=f"^{name}: The feature names should match"):
                    getattr(forecaster, method)(**given)
    assert np.isfinite(forecaster.update(**now).score(part("ab", 84, 88), part("cd", 84, 88)))


INDICES = {
    "months": pd.period_range("2000-01", periods=90, freq="M"),
    "days": pd.date_range("2000-01-01", periods=90, freq="D"),
    "business days": pd.date_range("2000-01-03", periods=90, freq="B"),
    "hours": pd.date_range("2000-03-25", periods=90, freq="h", tz="Europe/Berlin"),
    "nanoseconds": pd.date_range("2000-01-01", periods=90, freq="D").as_unit("ns"),
    "positions": pd.RangeIndex(90),
    "even numbers": pd.Index(np.arange(10, 190, 2)),
    "durations": pd.timedelta_range("3s", periods=90, freq="15min", name="after"),
    "seconds": pd.TimedeltaIndex(np.arange(-30, 150, 2).astype("m8[s]")),
    "floats": pd.Index(np.arange(-4, 5, 0.1)[:90], name="time"),
    "large floats": pd.Index(1e9 + 0.1 * np.arange(90)),
    "single floats": pd.Index(np.linspace(0, 8.9, 90).astype(np.float32)),
}


def other_labels(data, start, end):
    """Yield steps with the labels of others: before them, after them, and one of them doubled."""
    right = data[start:end]
    for first in (0, start - 1, start + 1):
        yield right.set_axis(data.index[first : first + end - start])
    if end - start > 1:
        yield right.set_axis(data.index[[*range(start, end - 1), end - 2]])
    yield right.set_axis(pd.Index([f"step {i}" for i in range(end - start)]))


@pytest.mark.parametrize("form", ["series", "list"])
@pytest.mark.parametrize("index", INDICES)
def test_steps_with_other_labels_are_refused(index, form):
    labels = INDICES[index]
    y = pd.Series(SERIES, labels)
    x = pd.DataFrame({"x": SERIES[::-1]}, labels)

    def give(data):
        return [data, data] if form == "list" else data

    for n_steps in (1, 2, 4):
        end = 80 + n_steps
        forecaster = small(horizon=n_steps, n_estimators=1, max_iter=1).fit(
            give(y[:80]), give(x[:80]), past_covariates=give(x[:80])
        )
        right = {"y": y[80:end], "X": x[80:end], "past_covariates": x[80:end]}
        calls = [("update", name) for name in right] + [("score", "y"), ("score", "X")]
        calls += [("predict", "X"), ("predict_interval", "X"), ("predict_quantiles", "X")]
        names = {"update": list(right), "score": ["y", "X"]}
        texts = {
            ("update", "y"): "go on where it ended",
            ("score", "y"): "hold the steps that are forecast",
        }
        for method, name in calls:
            arguments = {other: give(right[other]) for other in names.get(method, ["X"])}
            before = np.asarray(forecaster.predict(X=give(x[80:end])))
            text = texts.get((method, name), "have the index of the steps that it is about")
            for wrong in other_labels(y if name == "y" else x, 80, end):
                with pytest.raises(ValueError, match=f"must {text}: step [0-9] must be labelled"):
                    getattr(forecaster, method)(**{**arguments, name: give(wrong)})
            assert np.array_equal(np.asarray(forecaster.predict(X=give(x[80:end]))), before)
        steps = sorted({1, n_steps})
        chosen = y.iloc[[79 + step for step in steps]]
        assert np.isfinite(forecaster.score(give(chosen), give(x[80:end]), fh=steps))
        late = y.iloc[[80 + step for step in steps]]
        with pytest.raises(ValueError, match="must hold the steps that are forecast"):
            forecaster.score(give(late), give(x[80:end]), fh=steps)
        forecaster.update(**{name: give(data) for name, data in right.items()})
        found = forecaster.predict(X=give(x[end : end + n_steps]))
        found = found[0] if form == "list" else found
        due = labels[end : end + n_steps]
        assert found.index.name == labels.name
        if labels.dtype.kind == "f":
            assert np.allclose(found.index, due, rtol=1e-6 if labels.dtype == np.float32 else 1e-14)
        else:
            assert (found.index == due).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_later_steps_that_no_network_can_read_are_refused(strategy, dtype):
    """Too large for the dtype, or for what is left of it in the units of the series."""
    y = (1e-3 * SERIES).astype(dtype)
    names = {"direct": ("X", "past_covariates"), "recursive": ("X",)}.get(strategy, ())
    settings = {"strategy": strategy, "horizon": 2, "stabilize": None}
    largest = float(np.finfo(dtype).max)
    for form in (lambda a: a, lambda a: [a, a]):
        beside = {name: form(1e-3 * SERIES[:80]) for name in names}
        forecaster = small(**settings).fit(form(y[:80]), **beside)
        right = {"y": form(y[80:82]), **{name: form(1e-3 * SERIES[80:82]) for name in names}}
        future = {"X": form(1e-3 * SERIES[80:82])} if "X" in names else {}
        before = forecaster.predict(**future)
        for name in right:
            for value in [largest, -largest] + [1e39, -1e300] * (dtype is np.float32):
                wrong = form(np.array([1e-3, value]))
                with pytest.raises(ValueError, match=rf"{name}(\[0\])? .*too large for float"):
                    forecaster.update(**{**right, name: wrong})
        assert np.array_equal(forecaster.predict(**future), before)
        forecaster.update(**right)
        assert np.isfinite(forecaster.predict(**future)).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("exponent", [515, 1000, -515, -1000])
def test_unit_does_not_matter_however_far_it_is_from_one(strategy, exponent):
    unit = 2.0**exponent
    x = np.random.RandomState(0).randn(64)
    y = 100 + np.arange(60.0) + x[:60]
    beside = {"direct": ("X", "past_covariates"), "recursive": ("X",)}.get(strategy, ())
    for seasonality in ("auto", 4, None):
        found = []
        for factor in (1.0, unit):
            forecaster = small(strategy=strategy, stabilize=None, seasonality=seasonality)
            forecaster.fit(factor * y, fh=[1, 4], **dict.fromkeys(beside, factor * x[:60]))
            X = factor * x[60:] if "X" in beside else None
            found.append((forecaster.predict(X=X), forecaster.predict_interval(X=X)))
        for plain, other in zip(*found):
            assert np.array_equal(plain * unit, other)
    auto = small(strategy=strategy, seasonality="auto").fit(unit * y, fh=[1, 2])
    assert np.allclose(auto.predict() / unit, 160, atol=10)
    for line in (100 + np.arange(60.0), np.full(60, 7.0)):  # of which no spread is left
        found = small(strategy=strategy, seasonality="auto").fit(unit * line, fh=[1, 2]).predict()
        assert np.allclose(found / unit, 2 * line[-1] - line[[-2, -3]])
    if exponent > 0:
        with pytest.raises(ValueError, match="y must hold numbers whose sums float64 can hold"):
            small(stabilize=None, difference=None).fit(np.full(60, 1.7e308), fh=2)


def test_seasons_that_a_series_cannot_hold_are_refused_by_name():
    y = SERIES[:60]
    for season in (31, 59, 60, 61, 70, 1000):
        text = f"series 0 of y has 60 steps; two seasons of {season} need at least {2 * season}"
        with pytest.raises(ValueError, match=text):
            small(seasonality=season, horizon=2).fit(y)
        with pytest.raises(ValueError, match=text.replace("0 of", "1 of")):
            small(seasonality=season, horizon=2).fit([np.tile(y, 40), y])
        with pytest.raises(ValueError, match=r"series 0 of y has 60 steps; .* need at least"):
            small(difference=season + 20, horizon=2).fit(y)
    for n in (1, 2, 3, 5):
        with pytest.raises(ValueError, match=f"series 0 of y has {n} steps; .* need at least"):
            small(seasonality="auto", horizon=2).fit(y[:n])


def test_backtest_refuses_before_it_trains(monkeypatch):
    monkeypatch.setattr(rnnkit.GRUForecaster, "fit", None)
    pairs = [
        [(5, 6)],
        [([0, 1], 6)],
        [5],
        [([0], [1], [2])],
        [([0.5], [1])],
        [("ab", "cd")],
        [None],
    ]
    for splits in ["x", b"x", True, None, *pairs]:
        with pytest.raises(
            TypeError, match=r"^splits must be a number, a splitter or pairs of pos"
        ):
            small(horizon=2).backtest(SERIES, splits=splits)
    for coverage in ([0.8, 0.9], [0.8], 0, 1, "x", None, np.nan):
        with pytest.raises(ValueError, match=r"^coverage must be "):
            small(horizon=2).backtest(SERIES, coverage=coverage)
    for splits, text in [(0, "at least 1, got 0"), (-1, "at least 1, got -1")]:
        with pytest.raises(ValueError, match=f"^splits must be {text}"):
            small(horizon=2).backtest(SERIES, splits=splits)
    for splits, fh in [(45, 2), (1, 90), (9, 10)]:
        text = f"^splits={splits} points with {fh} steps after each need more than 90 steps of y"
        with pytest.raises(ValueError, match=text):
            small().backtest(SERIES, fh=fh, splits=splits)


def test_an_index_that_does_not_tell_how_it_goes_on_is_refused(tmp_path):
    uneven = np.r_[0:50, 51:91]
    for index, text in {
        "numbers": (uneven, "y must have an evenly spaced index; after 49 comes 51"),
        "floats": (uneven / 4, "y must have an evenly spaced index; after 12.25 comes 12.75"),
        "squares": (T**1.5, "y must have an evenly spaced index; after"),
        "endless": (np.append(T[:-1], np.inf), "y must have an evenly spaced index; after 88"),
        "durations": (
            pd.to_timedelta(uneven, "h"), "evenly spaced index; after 2 days 01:00:00 comes 2 days"
        ),
        "text": ([f"{i:03}" for i in T], "got one of dtype (str|object); y.reset_index"),
        "pairs": (pd.MultiIndex.from_product([range(9), range(10)]), "got one of dtype object"),
        "categories": (pd.CategoricalIndex(T), "got one of dtype category"),
        "intervals": (pd.IntervalIndex.from_breaks(range(91)), "got one of dtype interval"),
    }.values():  # fmt: skip
        y = pd.Series(SERIES, index)
        with pytest.raises(ValueError, match=text):
            small(horizon=2).fit(y)
        with pytest.raises(
            ValueError, match=text.replace("y must", r"y\[1\] must").split("; y")[0]
        ):
            small(horizon=2).fit([SERIES, y])
    for name in ("durations", "floats"):
        forecaster = small(horizon=2).fit(pd.Series(SERIES[:80], INDICES[name][:80]))
        rnnkit.save(forecaster, tmp_path / "f.safetensors")
        found = rnnkit.load(tmp_path / "f.safetensors").predict().index
        assert found.equals(forecaster.predict().index)
        assert found.dtype == INDICES[name].dtype
