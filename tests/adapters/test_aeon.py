"""The adapters are native estimators of aeon: its checks, its forms of data, its tools."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from adapters.linear import LinearOnWindows
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from tolerances import assert_close

from rnnkit import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    LSTMSequenceRegressor,
    Sequences,
)
from rnnkit.preprocessing import SequenceImputer, SequenceScaler

aeon = pytest.importorskip("aeon", reason="adapters of aeon need the extra aeon")

from aeon.forecasting import RegressionForecaster  # noqa: E402
from aeon.pipeline import make_pipeline as make_aeon_pipeline  # noqa: E402
from aeon.testing.estimator_checking import check_estimator  # noqa: E402
from aeon.transformations.collection import Normalizer  # noqa: E402

from rnnkit.adapters.aeon import (  # noqa: E402
    RecurrentClassifier,
    RecurrentForecaster,
    RecurrentRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WITH_GAPS = make_pipeline(SequenceImputer(), SequenceScaler(), GRUClassifier(4, max_iter=2))
CHECKED = {
    "classifier": RecurrentClassifier,
    "classifier as by default": RecurrentClassifier(),
    "classifier with missing values": RecurrentClassifier(WITH_GAPS),
    "regressor": RecurrentRegressor,
    "regressor as by default": RecurrentRegressor(),
    "forecaster": RecurrentForecaster,
    "forecaster as by default": RecurrentForecaster(),
    "forecaster in closed loop": RecurrentForecaster(LSTMSequenceRegressor(4, max_iter=2)),
}


@pytest.mark.parametrize("checked", CHECKED.values(), ids=CHECKED)
def test_all_checks_of_aeon_pass(checked):
    """None is excluded and none skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(checked)
    assert len(results) > 15
    assert {name: told for name, told in results.items() if told != "PASSED"} == {}


@pytest.fixture
def cases():
    """Cases of two channels, and a label for each."""
    rng = np.random.RandomState(0)
    X = rng.randn(30, 2, 9)
    return X, np.where(X[:, 0].sum(axis=1) > 0, "up", "down")


SMALL = GRUClassifier(4, max_iter=3, random_state=0)


def test_it_is_the_estimator_inside(cases):
    X, y = cases
    fitted = RecurrentClassifier(SMALL).fit(X, y)
    by_hand = clone(SMALL).fit(Sequences.from_channel_first(X), y)
    expected = by_hand.predict_proba(Sequences.from_channel_first(X))
    assert fitted.predict_proba(X).tobytes() == expected.tobytes()
    assert fitted.classes_.tolist() == by_hand.classes_.tolist() == ["down", "up"]
    assert not hasattr(SMALL, "network_")


def as_rows_of_two_levels(X):
    steps = X.transpose(0, 2, 1).reshape(-1, X.shape[1])
    index = pd.MultiIndex.from_product([range(len(X)), range(X.shape[2])])
    return pd.DataFrame(steps, index=index)


@pytest.mark.parametrize("form", [list, as_rows_of_two_levels], ids=lambda form: form.__name__)
def test_every_form_of_aeon_gives_the_same(cases, form):
    X, y = cases
    expected = RecurrentClassifier(SMALL).fit(X, y).predict_proba(X)
    fitted = RecurrentClassifier(SMALL).fit(form(X), y)
    assert np.array_equal(fitted.predict_proba(form(X)), expected)


def test_lengths_may_differ_and_one_channel_may_have_no_axis(cases):
    X, y = cases
    ragged = [x[:, : 3 + i % 7] for i, x in enumerate(X)]
    fitted = RecurrentClassifier(SMALL).fit(ragged, y)
    assert np.array_equal(fitted.predict_proba(ragged[3:4]), fitted.predict_proba(ragged)[3:4])
    one = RecurrentClassifier(SMALL).fit(X[:, 0], y).predict_proba(X[:, 0])
    assert np.array_equal(one, RecurrentClassifier(SMALL).fit(X[:, :1], y).predict_proba(X[:, :1]))


def test_missing_values_go_to_who_takes_them(cases):
    X, y = cases
    X[0, 0, 3] = np.nan
    with pytest.raises(ValueError, match="has missing values"):
        RecurrentClassifier(SMALL).fit(X, y)
    adapter = RecurrentClassifier(SMALL)
    assert not adapter.get_tag("capability:missing_values")
    adapter.set_params(estimator=WITH_GAPS, random_state=0)
    assert adapter.get_tag("capability:missing_values")
    by_hand = clone(WITH_GAPS).set_params(gruclassifier__random_state=0)
    sequences = Sequences.from_channel_first(X, allow_nan=True)
    expected = by_hand.fit(sequences, y).predict_proba(sequences)
    assert np.array_equal(adapter.fit(X, y).predict_proba(X), expected)


def test_parameters_reach_the_estimator_inside(cases):
    X, y = cases
    adapter = RecurrentClassifier(GRUClassifier(4), random_state=1)
    assert adapter.get_params()["estimator__hidden_size"] == 4
    adapter.set_params(estimator__hidden_size=3, estimator__max_iter=2)
    assert adapter.fit(X, y).estimator_.hidden_size == 3
    search = GridSearchCV(adapter, {"estimator__hidden_size": [2, 5]}, cv=2).fit(X, y)
    assert search.best_estimator_.estimator_.hidden_size in (2, 5)
    assert clone(adapter).get_params()["estimator__hidden_size"] == 3


def test_seeds(cases):
    X, y = cases
    free = GRUClassifier(4, max_iter=2)
    one, other = (RecurrentClassifier(free, random_state=seed).fit(X, y) for seed in (0, 1))
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))
    again = RecurrentClassifier(clone(free), random_state=0).fit(X, y)
    assert np.array_equal(one.predict_proba(X), again.predict_proba(X))


def test_pickle_clone_and_not_fitted(cases):
    X, y = cases
    fitted = RecurrentClassifier(SMALL).fit(X, y)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_callbacks_of_the_estimator_inside_are_called(cases):
    X, y = cases
    seen = []
    watched = clone(SMALL).set_callbacks(lambda epoch: seen.append(epoch.epoch))
    RecurrentClassifier(watched).fit(X, y)
    assert seen == [1, 2, 3]


def test_another_kind_of_estimator_is_refused_by_name(cases):
    X, y = cases
    with pytest.raises(TypeError, match="estimator must be a classifier, got GRURegressor"):
        RecurrentClassifier(GRURegressor()).fit(X, y)
    with pytest.raises(TypeError, match="estimator must be a regressor, got LSTMClassifier"):
        RecurrentRegressor(LSTMClassifier()).fit(X, np.arange(30.0))
    with pytest.raises(TypeError, match="regressor or sequence regressor, got LSTMClassifier"):
        RecurrentForecaster(LSTMClassifier()).fit(X[0, 0])


def test_it_stands_in_pipelines_of_aeon_and_in_scikit_learns_scores(cases):
    X, y = cases
    scores = cross_val_score(make_aeon_pipeline(Normalizer(), RecurrentClassifier(SMALL)), X, y)
    assert len(scores) == 5


def test_the_regressor_is_the_estimator_inside(cases):
    X, _ = cases
    y = X[:, 0].mean(axis=1)
    inside = GRURegressor(4, max_iter=3, random_state=0)
    expected = clone(inside).fit(Sequences.from_channel_first(X), y)
    fitted = RecurrentRegressor(inside).fit(X, y)
    assert np.array_equal(fitted.predict(X), expected.predict(Sequences.from_channel_first(X)))


@pytest.mark.parametrize("horizon", [1, 3])
def test_forecasts_are_those_of_aeons_own_reduction(horizon):
    """With least squares in both, over the same windows."""
    y = np.random.RandomState(0).randn(60).cumsum()
    ours = RecurrentForecaster(LinearOnWindows(), window=5, horizon=horizon).fit(y)
    theirs = RegressionForecaster(window=5, horizon=horizon, regressor=LinearRegression()).fit(y)
    for series in (y, y[:40]):
        assert_close(ours.predict(series), theirs.predict(series), np.float64, accumulations=1e6)
    assert_close(ours.direct_forecast(y, 3), theirs.direct_forecast(y, 3), np.float64, 1e6)
    if horizon == 1:
        iterated = theirs.iterative_forecast(y, 6)
        assert_close(ours.iterative_forecast(y, 6), iterated, np.float64, accumulations=1e6)


def test_a_sequence_regressor_forecasts_any_horizon_in_closed_loop():
    y = np.sin(np.arange(80) / 4)
    inside = LSTMSequenceRegressor(4, max_iter=3, random_state=0)
    far = [RecurrentForecaster(inside, horizon=h).fit(y).predict(y) for h in (1, 2, 3)]
    scaled = (y - y.mean()) / y.std()
    by_hand = clone(inside).fit([scaled[:-1]], [scaled[1:]])
    expected = by_hand.forecast([scaled], n_steps=3)[0] * y.std() + y.mean()
    assert np.array_equal(far, expected)


def test_a_series_too_short_is_refused_in_one_sentence():
    forecaster = RecurrentForecaster(LinearOnWindows(), window=5)
    with pytest.raises(ValueError, match=r"window=5 \+ horizon=1; the longest has 4 steps"):
        forecaster.fit(np.arange(4.0))
    forecaster.fit(np.random.RandomState(0).randn(30))
    with pytest.raises(ValueError, match="a window of 5 steps, the series has 3"):
        forecaster.predict(np.arange(3.0))


def test_warnings_of_the_estimator_inside_are_not_hidden(cases):
    X, y = cases
    with pytest.warns(ConvergenceWarning):
        RecurrentClassifier(SMALL).fit(X, y)
