"""Regressors of several quantiles: shapes, order, shares, every method."""

import pickle

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, numbers_of, padded, ragged
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from tolerances import assert_close

from rnnkit import RecurrentFeatures, Sequences

X = ragged(60)
Y = np.array([x[-1].sum() for x in X]) + np.random.RandomState(1).randn(60)
STEPS = [y + np.random.RandomState(i).randn(len(y)) for i, y in enumerate(numbers_of(X))]
Q = [0.1, 0.5, 0.9]


def several(task="Regressor", cell="GRU", quantile=Q, **parameters):
    settings = dict(loss="quantile", quantile=quantile, max_iter=5)
    return estimator(cell, task, **{**settings, **parameters})


def vectors(y):
    return [np.stack([part, 100 * part], axis=1) for part in y]


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_and_order(cell):
    model = several(cell=cell).fit(X, Y)
    predicted = model.predict(X)
    assert predicted.shape == (60, 3)
    assert (np.diff(predicted, axis=1) >= 0).all()
    assert model.n_outputs_ == 1
    both = several(cell=cell).fit(X, np.stack([Y, 100 * Y], axis=1))
    assert both.predict(X).shape == (60, 2, 3)
    assert both.n_outputs_ == 2
    assert (np.diff(both.predict(X), axis=2) >= 0).all()
    other = several(cell=cell, quantile=(0.9, 0.1)).fit(X, Y).predict(X)
    assert (other[:, 0] >= other[:, 1]).all()
    assert several(cell=cell, quantile=[0.3]).fit(X, Y).predict(X).shape == (60, 1)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_per_step(cell):
    model = several("SequenceRegressor", cell).fit(X, STEPS)
    lengths = [len(x) for x in X]
    predicted = model.predict(X)
    assert [p.shape for p in predicted] == [(n, 3) for n in lengths]
    assert all((np.diff(p, axis=1) >= 0).all() for p in predicted)
    both = several("SequenceRegressor", cell).fit(X, vectors(STEPS))
    assert [p.shape for p in both.predict(X)] == [(n, 2, 3) for n in lengths]
    dense, n_steps = padded(X)
    dense_y = np.stack([np.pad(y, (0, dense.shape[1] - len(y))) for y in STEPS])
    again = several("SequenceRegressor", cell).fit(dense, dense_y, lengths=n_steps)
    table = again.predict(dense, lengths=n_steps)
    assert table.shape == (*dense.shape[:2], 3)
    for one, other, n in zip(table, predicted, n_steps):
        np.testing.assert_array_equal(one[:n], other)
        assert not one[n:].any()
    flat = model.predict(Sequences.from_list(X))
    np.testing.assert_array_equal(flat.values, np.concatenate(predicted))
    assert [p.shape for p in both.predict(Sequences.from_list(X))] == [(n, 2, 3) for n in lengths]


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 60)])
def test_after_fit_every_quantile_has_its_share_of_the_training_data(weights):
    for quantile in ([0.05, 0.25, 0.5, 0.95], [0.9, 0.8]):
        model = several(quantile=quantile, max_iter=20).fit(X, Y, weights)
        given = np.ones(60) if weights is None else weights
        size = 1e-9 * np.abs(Y).max()
        for q, column in zip(quantile, model.predict(X).T):
            share = np.average(column + size >= Y, weights=given)
            assert abs(share - q) <= 1.01 * given.max() / given.sum()
    steps = several("SequenceRegressor").fit(X, STEPS).predict(X)
    covered = np.concatenate(STEPS)[:, None] <= np.concatenate(list(steps)) + 1e-9
    assert np.abs(covered.mean(axis=0) - Q).max() < 0.01


@pytest.mark.parametrize("a, b", [(1e-3, 0.0), (1e4, 0.0), (3.0, -5.0)])
def test_the_unit_of_y_changes_nothing(a, b):
    plain, moved = several().fit(X, Y), several().fit(X, a * Y + b)
    np.testing.assert_allclose((moved.predict(X) - b) / a, plain.predict(X), atol=1e-8)
    np.testing.assert_allclose(np.array(moved.loss_curve_) / a, plain.loss_curve_, rtol=1e-8)
    negative = several(max_iter=20).fit(X, -a * Y + b).predict(X)
    assert (np.diff(negative, axis=1) >= 0).all()
    shares = (negative + 1e-9 * a >= (-a * Y + b)[:, None]).mean(axis=0)
    assert np.abs(shares - Q).max() <= 1.01 / 60


def test_constant_y():
    for c in (0.0, 7.0):
        predicted = several(max_iter=40).fit(X, np.full(60, c)).predict(X)
        assert np.abs(predicted - c).max() <= 0.1 * (abs(c) or 1.0)


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 60)])
def test_score_is_the_mean_d2(weights):
    y = np.stack([Y, 100 * Y], axis=1)
    model = several().fit(X, y)
    expected = np.mean(
        [
            d2_pinball_score(y, model.predict(X)[:, :, j], sample_weight=weights, alpha=q)
            for j, q in enumerate(Q)
        ]
    )
    assert_close(model.score(X, y, weights), expected, np.float64, 60)
    assert np.isnan(model.score(X[:1], y[:1]))
    learnt = several(max_iter=60, quantile=[0.4, 0.6]).fit(X, np.array([x[-1].sum() for x in X]))
    assert learnt.score(X, np.array([x[-1].sum() for x in X])) > 0.5


def test_stream_features_and_pickles():
    model = several(cell="LSTM").fit(X, Y)
    stream = model.stream()
    for x in X[0]:
        last = stream.step(x)
    np.testing.assert_array_equal(last, model.predict(X[:1])[0])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), model.predict(X))
    steps = several("SequenceRegressor").fit(X, vectors(STEPS))
    stream = steps.stream()
    for x, expected in zip(X[1], steps.predict(X[1:2])[0]):
        np.testing.assert_array_equal(stream.step(x), expected)
    assert RecurrentFeatures(several()).fit(X, Y).transform(X).shape == (60, 8)


def test_training_goes_on():
    model = several(warm_start=True).fit(X, Y)
    model.set_params(quantile=[0.2, 0.5, 0.8]).fit(X, Y)
    assert model.network_.output.quantiles == (0.2, 0.5, 0.8)
    with pytest.raises(ValueError, match=r"quantile=\[0.5\] was"):
        model.set_params(quantile=[0.5]).fit(X, Y)
    part = several(learning_rate="constant")
    for _ in range(3):
        part.partial_fit(X, Y)
    assert (np.diff(part.predict(X), axis=1) >= 0).all()
    early = several(early_stopping=True, monitor="score").fit(X, Y)
    assert np.isfinite(early.validation_scores_).all()


def test_searches():
    grid = {"quantile": [[0.1, 0.9], [0.5], 0.5]}
    search = GridSearchCV(several(max_iter=2), grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert cross_val_predict(several(), X, Y, cv=2).shape == (60, 3)


@pytest.mark.parametrize(
    "quantile", [[], [0.5, 0.5], [0.0], [0.5, 1.0], ["a"], [None], [True], [[0.5]], [np.nan]]
)
def test_wrong_lists_are_refused(quantile):
    with pytest.raises(ValueError, match="'quantile' parameter must be a number in"):
        several(quantile=quantile).fit(X, Y)


def test_what_needs_one_number_is_refused():
    wave = np.sin(np.arange(200) / 5).reshape(4, 50)
    model = several("SequenceRegressor").fit(wave[:, :-1], wave[:, 1:])
    with pytest.raises(ValueError, match=r"quantile=\[0.1, 0.5, 0.9\] gives 3.*quantile=0.5"):
        model.forecast(wave, 3)
    one = several("SequenceRegressor", quantile=0.5).fit(wave[:, :-1], wave[:, 1:])
    assert one.forecast(wave, 3).shape == (4, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_backends_and_dtypes(dtype, solver):
    x = [one.astype(dtype) for one in X]
    here = several(solver=solver).fit(x, Y).predict(x)
    there = several(solver=solver, device="reference").fit(x, Y).predict(x)
    assert here.dtype == dtype
    np.testing.assert_allclose(here, there, atol=2e-3 if dtype == np.float32 else 1e-8)


def test_targets_that_are_not_known():
    """NaN counts nowhere, in one column of y or in all; shares are those of what is known."""
    rng = np.random.RandomState(0)
    single = [np.where(rng.rand(len(y)) < 0.3, np.nan, y) for y in STEPS]
    model = several("SequenceRegressor", max_iter=10).fit(X, single)
    y, p = np.concatenate(single), np.concatenate(list(model.predict(X)))
    known = ~np.isnan(y)
    shares = (y[known, None] <= p[known] + 1e-9).mean(axis=0)
    assert np.abs(shares - Q).max() < 0.01
    expected = np.mean([d2_pinball_score(y[known], v, alpha=q) for q, v in zip(Q, p[known].T)])
    assert_close(model.score(X, single), expected, np.float64, 300)
    both = [np.where(rng.rand(len(y), 2) < 0.3, np.nan, y) for y in vectors(STEPS)]
    model = several("SequenceRegressor", max_iter=10).fit(X, both)
    y, p = np.concatenate(both), np.concatenate(list(model.predict(X)))
    scores = []
    for k in range(2):
        known = ~np.isnan(y[:, k])
        shares = (y[known, k, None] <= p[known, k] + 1e-6).mean(axis=0)
        assert np.abs(shares - Q).max() < 0.01
        scores += [d2_pinball_score(y[known, k], p[known, k, j], alpha=q) for j, q in enumerate(Q)]
    assert_close(model.score(X, both), np.mean(scores), np.float64, 300)
    assert np.isfinite(model.loss_)
