"""Forecasters go on from what was given: indices of all libraries, covariates of any unit."""

import datetime
import zoneinfo

import dateutil.tz
import numpy as np
import pandas as pd
import pytest

import rnnkit

STRATEGIES = ("direct", "recursive", "encoder-decoder")
SERIES = np.sin(np.arange(80) / 5) + 0.1 * np.random.RandomState(0).randn(80)
ZONES = {
    "none": None,
    "zoneinfo": zoneinfo.ZoneInfo("Europe/Berlin"),
    "dateutil": dateutil.tz.gettz("Europe/Berlin"),
    "dateutil offset": dateutil.tz.tzoffset(None, 3600),
    "dateutil UTC": dateutil.tz.tzutc(),
    "offset": datetime.timezone(datetime.timedelta(hours=-3)),
    "offset with the name of a zone": datetime.timezone(datetime.timedelta(hours=1), "CET"),
}


def small(**parameters):
    settings = {"n_estimators": 2, "max_iter": 3, "random_state": 0, "seasonality": None}
    return rnnkit.GRUForecaster(4, **{**settings, **parameters})


def alike(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("freq", ["h", "D"])
def test_dates_of_every_zone_go_on(zone, freq, tmp_path):
    # Summer time begins after the end of the series.
    dates = pd.date_range("2021-01-06", periods=84, freq="D", tz=ZONES[zone])
    if freq == "h":
        dates = pd.date_range("2021-03-24 12:00", periods=84, freq="h", tz=ZONES[zone])
    forecaster = small(horizon=4).fit(pd.Series(SERIES, dates[:80]))
    rnnkit.save(forecaster, tmp_path / "file")
    for model in (forecaster, rnnkit.load(tmp_path / "file")):
        assert (model.predict().index == dates[80:]).all()
        model.update(pd.Series(SERIES[:4], dates[80:]))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_keep_their_unit(unit):
    dates = pd.date_range("2021-01-06", periods=80).as_unit(unit)
    assert small(horizon=4).fit(pd.Series(SERIES, dates)).predict().index.dtype == dates.dtype


@pytest.mark.parametrize("freq", ["M", "2M", "3h", "15min", "W-WED"])
def test_periods_go_on(freq):
    periods = pd.period_range("2020-01-01", periods=84, freq=freq)
    forecaster = small(horizon=4).fit(pd.Series(SERIES, periods[:80]))
    assert (forecaster.predict().index == periods[80:]).all()
    with pytest.raises(ValueError, match="y must have an evenly spaced index; after"):
        small(horizon=4).fit(pd.Series(SERIES, periods[:80].delete(7).append(periods[80:81])))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("past", [False, True])
def test_to_refit_is_to_fit_the_whole(strategy, past):
    """Also where the series so far asked for logarithms, and what follows has none."""
    t = np.arange(80)
    grown = np.exp(t / 20) * (1.5 + 0.4 * np.sin(2 * np.pi * t / 7) + SERIES / 10)
    later = np.array([3.0, -2.0, 4.0, 5.0])
    whole = np.concatenate([grown, later])
    beside = {"static_covariates": [1.0]}
    if past and strategy != "recursive":
        beside["past_covariates"] = whole[:, None] / 7
    model = small(strategy=strategy, seasonality=7)
    start = {k: v[:80] if k == "past_covariates" else v for k, v in beside.items()}
    rest = {k: v[80:] for k, v in beside.items() if k == "past_covariates"}
    forecaster = model.fit(grown, fh=[1, 3], **start)
    assert forecaster.treatment_["log"]
    before = forecaster.predict_interval()
    with pytest.raises(ValueError, match="logarithms are forecast; refit=True chooses anew"):
        forecaster.update(later, **rest)
    assert alike(before, forecaster.predict_interval())
    forecaster.update(later, **rest, refit=True)
    other = small(strategy=strategy, seasonality=7).fit(whole, fh=[1, 3], **beside)
    assert alike(forecaster.predict_interval(), other.predict_interval())


@pytest.mark.parametrize(
    ("beside", "setting", "text"),
    [
        ("X", {"strategy": "encoder-decoder"}, "X must be None with strategy='encoder-decoder'"),
        ("past_covariates", {"strategy": "recursive"}, "past_covariates must be None with"),
        (None, {"static": "state"}, "static='state' needs static_covariates"),
    ],
)
def test_parameters_that_do_not_fit_the_covariates_are_refused(beside, setting, text):
    """In `fit`, and where everything is learnt anew."""
    given = {} if beside is None else {beside: SERIES[:, None] * 2}
    with pytest.raises(ValueError, match=text):
        small(**setting).fit(SERIES, **given)
    forecaster = small().fit(SERIES, **given)
    future = SERIES[: forecaster.horizon_, None] if beside == "X" else None
    before = forecaster.predict(X=future)
    later = {name: values[:4] for name, values in given.items()}
    with pytest.raises(ValueError, match=text):
        forecaster.set_params(**setting).update(SERIES[:4], **later, refit=True)
    assert alike(before, forecaster.predict(X=future))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 7.0, 1e5 + 0.1])
@pytest.mark.parametrize("which", ["known", "past", "static"])
def test_covariates_that_do_not_vary_have_no_unit_of_rounding(value, which):
    same = np.full((80, 1), value)
    beside = {"known": {"X": [same] * 3}, "past": {"past_covariates": [same] * 3}}
    beside["static"] = {"static_covariates": np.full((3, 1), value)}
    series = [SERIES, SERIES + 1, SERIES - 1]
    forecaster = small(horizon=2).fit(series, **beside[which])
    assert forecaster._units[which][1].tolist() == [1.0]


def test_what_was_given_may_change_afterwards():
    series = [SERIES, SERIES + 1, SERIES - 1]
    given = {
        "X": [SERIES[:, None] * 2] * 3,
        "past_covariates": [SERIES[:, None] * 3] * 3,
        "static_covariates": np.array([[0.1], [0.5], [0.3]]),
        "sample_weight": [np.ones(80)] * 3,
    }
    future = [SERIES[:2, None]] * 3
    own = {k: v.copy() if isinstance(v, np.ndarray) else [a.copy() for a in v] for k, v in
           given.items()}  # fmt: skip
    copies = [values.copy() for values in series]
    forecaster = small(horizon=2).fit(copies, **own)
    before = forecaster.predict_interval(X=future)
    for values in (copies, *own.values()):
        for array in values:
            array[...] = 100.0
    assert alike(before, forecaster.predict_interval(X=future))


@pytest.mark.parametrize("several", [False, True])
def test_weights_with_other_labels_are_refused(several):
    dates = pd.date_range("2021-01-06", periods=84)
    weights = pd.Series(np.arange(84.0), dates)
    series = pd.Series(SERIES, dates[:80])
    many = (lambda one: [one, one]) if several else (lambda one: one)
    called = r"sample_weight\[0\]" if several else "sample_weight"
    text = called + " must have the index of the steps that it is about: step 0"
    for wrong in (weights[:80][::-1], weights[4:]):
        with pytest.raises(ValueError, match=text):
            small(horizon=2).fit(many(series), sample_weight=many(wrong))
    forecaster = small(horizon=2).fit(many(series), sample_weight=many(weights[:80]))
    plain = small(horizon=2).fit(many(series), sample_weight=many(weights[:80].to_numpy()))
    assert alike(forecaster.predict_interval(), plain.predict_interval())
    later = pd.Series(SERIES[:4], dates[80:])
    with pytest.raises(ValueError, match=text):
        forecaster.update(many(later), sample_weight=many(weights[:4]))
    forecaster.update(many(later), sample_weight=many(weights[80:]))


@pytest.mark.parametrize("unit", [1.0, 2.0**-70, 2.0**-660, 2.0**660])
@pytest.mark.parametrize("several", [False, True])
def test_weights_of_later_steps_are_in_the_unit_of_the_first(unit, several):
    weights = np.linspace(0.5, 1.5, 84) * unit
    weights[:80] *= 2.0**-30
    whole = np.concatenate([SERIES, SERIES[:4] * 1.1])
    many = (lambda one: [one, one[::-1]]) if several else (lambda one: one)
    later = (lambda one: [w[80:] for w in many(one)]) if several else (lambda one: one[80:])
    early = (lambda one: [w[:80] for w in many(one)]) if several else (lambda one: one[:80])
    forecaster = small(horizon=3).fit(early(whole), sample_weight=early(weights))
    forecaster.update(later(whole), sample_weight=later(weights), refit=True)
    other = small(horizon=3).fit(many(whole), sample_weight=many(weights))
    plain = small(horizon=3).fit(many(whole), sample_weight=many(weights / unit))
    assert alike(forecaster.predict_interval(), other.predict_interval())
    assert alike(forecaster.predict_interval(), plain.predict_interval())


def test_later_steps_may_count_for_nothing():
    forecaster = small(horizon=3).fit(SERIES, sample_weight=np.ones(80))
    whole, zeros = np.append(SERIES, [50.0]), np.append(np.ones(80), 0.0)
    forecaster.update([50.0], sample_weight=[0.0], refit=True)
    other = small(horizon=3).fit(whole, sample_weight=zeros)
    assert alike(forecaster.predict_interval(), other.predict_interval())
