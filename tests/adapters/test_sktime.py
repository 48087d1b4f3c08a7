"""The adapters are native estimators of sktime: its checks, its forms of data, its tools."""

import pickle
import warnings

import numpy as np
import pytest
from adapters.linear import LinearOnWindows
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from tolerances import assert_close

from rnnkit import (
    GRUClassifier,
    GRURegressor,
    GRUSequenceRegressor,
    LSTMClassifier,
    Sequences,
)
from rnnkit.preprocessing import SequenceImputer, SequenceScaler

sktime = pytest.importorskip("sktime", reason="adapters of sktime need the extra sktime")

import pandas as pd  # noqa: E402
from sktime.datatypes import convert_to  # noqa: E402
from sktime.forecasting.base import ForecastingHorizon  # noqa: E402
from sktime.forecasting.compose import make_reduction  # noqa: E402
from sktime.transformations.difference import Differencer  # noqa: E402
from sktime.utils.estimator_checks import check_estimator  # noqa: E402

from rnnkit.adapters.reduction import STRATEGIES  # noqa: E402
from rnnkit.adapters.sktime import (  # noqa: E402
    RecurrentClassifier,
    RecurrentForecaster,
    RecurrentRegressor,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:.*:FutureWarning:sktime"
)

ADAPTERS = (RecurrentClassifier, RecurrentRegressor, RecurrentForecaster)
INSTANCES = {
    f"{adapter.__name__}-{i}": adapter(**parameters)
    for adapter in ADAPTERS
    for i, parameters in enumerate(adapter.get_test_params())
}


def assert_passes(checked, more_than, **which):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(checked, verbose=False, **which)
    assert len(results) > more_than
    assert {name: told for name, told in results.items() if told != "PASSED"} == {}


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_all_checks_of_sktime_pass(adapter):
    """None is excluded; with the first of the parameters that sktime tries."""
    assert_passes(adapter(**adapter.get_test_params()[0]), 80)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in INSTANCES if not name.endswith("-0")])
def test_checks_that_depend_on_parameters_pass(name):
    """Shapes, index and steps of what is predicted."""
    which = ["test_fit_idempotent", "test_classifier_output", "test_regressor_output"]
    which += ["test_update_predict_predicted_index", "test_hierarchical_with_exogenous"]
    assert_passes(INSTANCES[name], 5, tests_to_run=which)


@pytest.fixture
def panel():
    """Instances of two variables, channel-first, and a label for each."""
    X = np.random.RandomState(0).randn(30, 2, 9)
    return X, np.where(X[:, 0].sum(axis=1) > 0, "up", "down")


SMALL = GRUClassifier(4, max_iter=3, random_state=0)
WITH_GAPS = make_pipeline(SequenceImputer(), SequenceScaler(), SMALL)


@pytest.mark.parametrize("mtype", ["numpy3D", "pd-multiindex", "nested_univ", "df-list"])
def test_every_panel_type_gives_what_the_estimator_inside_does(panel, mtype):
    X, y = panel
    sequences = Sequences.from_channel_first(X)
    expected = clone(SMALL).fit(sequences, y).predict_proba(sequences)
    given = convert_to(X, mtype)
    fitted = RecurrentClassifier(SMALL).fit(given, y)
    assert np.array_equal(fitted.predict_proba(given), expected)
    assert fitted.predict(given).tolist() == fitted.classes_[expected.argmax(axis=1)].tolist()


def test_lengths_may_differ(panel):
    X, y = panel
    ragged = [pd.DataFrame(x[:, : 3 + i % 7].T) for i, x in enumerate(X)]
    frame = convert_to(ragged, "pd-multiindex")
    fitted = RecurrentClassifier(SMALL).fit(frame, y)
    assert np.array_equal(fitted.predict_proba(frame), fitted.predict_proba(ragged))
    nested = convert_to(ragged, "nested_univ")
    assert np.array_equal(fitted.predict_proba(nested), fitted.predict_proba(ragged))


def test_missing_values_go_to_who_takes_them(panel):
    X, y = panel
    X[0, 0, 3] = np.nan
    with pytest.raises(ValueError, match="has missing values"):
        RecurrentClassifier(SMALL).fit(X, y)
    adapter = RecurrentClassifier(SMALL)
    assert not adapter.get_tag("capability:missing_values")
    adapter.set_params(estimator=WITH_GAPS)
    assert adapter.get_tag("capability:missing_values")
    sequences = Sequences.from_channel_first(X, allow_nan=True)
    expected = clone(WITH_GAPS).fit(sequences, y).predict_proba(sequences)
    assert np.array_equal(adapter.fit(X, y).predict_proba(X), expected)


def test_parameters_seeds_and_copies(panel):
    X, y = panel
    adapter = RecurrentClassifier(GRUClassifier(4), random_state=1)
    assert adapter.get_params()["estimator__hidden_size"] == 4
    adapter.set_params(estimator__hidden_size=3, estimator__max_iter=2)
    fitted = adapter.fit(X, y)
    assert fitted.estimator_.hidden_size == 3
    assert fitted.estimator_.random_state == 1
    for copy in (adapter.clone(), clone(adapter)):
        assert copy.get_params()["estimator__max_iter"] == 2
        assert np.array_equal(copy.fit(X, y).predict_proba(X), fitted.predict_proba(X))
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_several_targets_share_one_network(panel):
    X, _ = panel
    y = pd.DataFrame({"mean": X[:, 0].mean(axis=1), "last": X[:, 1, -1]})
    inside = GRURegressor(4, max_iter=3, random_state=0)
    fitted = RecurrentRegressor(inside).fit(X, y)
    predicted = fitted.predict(X)
    assert list(predicted.columns) == ["mean", "last"]
    sequences = Sequences.from_channel_first(X)
    assert np.array_equal(predicted, clone(inside).fit(sequences, y).predict(sequences))
    one = RecurrentRegressor(inside).fit(X, y["mean"]).predict(X)
    assert one.shape == (30,)


def test_another_kind_of_estimator_is_refused_by_name(panel):
    X, y = panel
    with pytest.raises(TypeError, match="estimator must be a classifier, got GRURegressor"):
        RecurrentClassifier(GRURegressor()).fit(X, y)
    with pytest.raises(TypeError, match="estimator must be a regressor, got LSTMClassifier"):
        RecurrentRegressor(LSTMClassifier()).fit(X, np.arange(30.0))
    with pytest.raises(TypeError, match="regressor or sequence regressor, got LSTMClassifier"):
        RecurrentForecaster(LSTMClassifier()).fit(pd.Series(X[0, 0]), fh=1)


INDICES = {
    "range": pd.RangeIndex(60),
    "months": pd.period_range("2015-01", periods=60, freq="M"),
    "days": pd.date_range("2015-01-01", periods=60, freq="D"),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_forecasts_are_those_of_sktimes_own_reduction(strategy, index):
    """With least squares in both, over the same windows."""
    y = pd.Series(np.random.RandomState(0).randn(60).cumsum(), index=index, name="y")
    steps = [1, 2, 3]
    every_window = {"windows_identical": False} if strategy == "direct" else {}
    theirs = make_reduction(LinearRegression(), window_length=5, strategy=strategy, **every_window)
    theirs.set_config(remember_data=True)
    expected = theirs.fit(y, fh=steps).predict()
    ours = RecurrentForecaster(LinearOnWindows(), window=5, strategy=strategy).fit(y, fh=steps)
    ahead = ours.predict()
    assert ahead.index.equals(expected.index)
    assert ahead.name == "y"
    assert_close(ahead, expected, np.float64, accumulations=1e6)


def driven(n):
    """A series, what determines it beside its last step, and their index."""
    index = pd.period_range("2015-01", periods=n, freq="M")
    rng = np.random.RandomState(0)
    x = rng.randn(n, 2)
    y = np.zeros(n)
    for t in range(1, n):
        y[t] = 3 + 0.5 * y[t - 1] + 2 * x[t, 0] - x[t, 1]
    return pd.Series(y, index=index), pd.DataFrame(x, index=index, columns=["a", "b"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exogenous_values_stand_beside_the_steps_that_they_belong_to(strategy):
    y, X = driven(60)
    forecaster = RecurrentForecaster(LinearOnWindows(), window=3, strategy=strategy)
    forecaster.fit(y[:50], X=X[:50], fh=[1, 2, 3])
    ahead = forecaster.predict(X=X[50:53][["b", "a"]])  # columns are found by their names
    assert_close(ahead, y[50:53], np.float64, accumulations=1e6)
    forecaster.update(y[50:55], X=X[50:55], update_params=False)
    assert_close(forecaster.predict(X=X[55:60]), y[55:58], np.float64, accumulations=1e6)


def test_exogenous_values_that_lack_are_told():
    y, X = driven(60)
    forecaster = RecurrentForecaster(LinearOnWindows(), window=3).fit(y[:50], X=X[:50], fh=[3])
    with pytest.raises(ValueError, match=r"X must have every step .* lacks 2019-03"):
        forecaster.predict(X=X[51:53])
    with pytest.raises(ValueError, match="X must be given to predict as well"):
        forecaster.predict()
    with pytest.raises(ValueError, match="X must be given to update as well"):
        forecaster.update(y[50:52])


def test_an_update_goes_on_from_the_new_end_and_learns_only_if_asked():
    y = pd.Series(np.random.RandomState(0).randn(60).cumsum())
    forecaster = RecurrentForecaster(LinearOnWindows(), window=4).fit(y[:40], fh=[1])
    kept = forecaster.estimators_[0].linear_.coef_
    forecaster.update(y[40:50], update_params=False)
    assert forecaster.estimators_[0].linear_.coef_ is kept
    assert forecaster.predict().index.tolist() == [50]
    forecaster.update(y[50:], update_params=True)
    anew = RecurrentForecaster(LinearOnWindows(), window=4).fit(y, fh=[1])
    assert forecaster.predict().equals(anew.predict())


def test_several_variables_and_closed_loop():
    t = np.arange(80)
    y = pd.DataFrame({"s": np.sin(t / 4), "c": 5 + np.cos(t / 4)})
    inside = GRUSequenceRegressor(4, max_iter=3, random_state=0)
    forecaster = RecurrentForecaster(inside).fit(y)
    ahead = forecaster.predict(ForecastingHorizon([2, 5]))
    assert list(ahead.columns) == ["s", "c"]
    values = y.to_numpy()
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    by_hand = clone(inside).fit([scaled[:-1]], [scaled[1:]])
    expected = by_hand.forecast([scaled], n_steps=5)[0] * values.std(axis=0) + values.mean(axis=0)
    assert np.array_equal(ahead, expected[[1, 4]])
    assert not forecaster.get_tag("capability:exogenous")


def test_it_stands_in_pipelines_of_sktime_over_a_panel_of_series():
    months = pd.period_range("2015-01", periods=40, freq="M")
    index = pd.MultiIndex.from_product([["a", "b"], months])
    y = pd.DataFrame({"y": np.random.RandomState(0).randn(80).cumsum()}, index=index)
    pipeline = Differencer() * RecurrentForecaster(LinearOnWindows(), window=4)
    ahead = pipeline.fit(y, fh=[1, 2]).predict()
    assert ahead.index.get_level_values(0).tolist() == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    "parameters, told",
    [
        ({"strategy": "dirrec"}, "strategy must be one of .*, got 'dirrec'"),
        ({"window": 30}, r"window=30 \+ horizon=1; the longest has 20"),
        ({"estimator": GRUSequenceRegressor(), "window": 3}, "takes no window .* got window=3"),
    ],
)
def test_parameters_that_are_not_allowed_are_told(parameters, told):
    y = pd.Series(np.arange(20.0))
    with pytest.raises(ValueError, match=told):
        RecurrentForecaster(**{"estimator": LinearOnWindows(), **parameters}).fit(y, fh=[1])


def test_a_new_forecaster_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RecurrentForecaster().clone()
