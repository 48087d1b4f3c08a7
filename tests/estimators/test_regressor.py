"""The regressors: losses, several outputs, dtypes and faults."""

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, ragged
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.metrics import r2_score
from tolerances import assert_close

X = ragged(80)
Y = np.array([x[-1].sum() for x in X])
COUNTS = np.random.RandomState(0).poisson(np.exp([x[-1, 0] for x in X]))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("loss", ["squared", "absolute", "huber", "quantile"])
def test_learns_with_every_loss(cell, loss):
    regressor = estimator(cell, "Regressor", loss=loss, max_iter=80).fit(X, Y)
    assert regressor.score(X, Y) == pytest.approx(r2_score(Y, regressor.predict(X)))
    assert regressor.score(X, Y) > 0.8
    assert regressor.predict(X).shape == (len(X),)


def test_losses_differ():
    losses = ("squared", "absolute", "huber", "quantile")
    fits = [estimator("GRU", "Regressor", loss=loss, quantile=0.3).fit(X, Y) for loss in losses]
    assert len({fit.loss_ for fit in fits}) == len(losses)
    alias = estimator("GRU", "Regressor", loss="squared_error").fit(X, Y)
    assert alias.loss_ == fits[0].loss_


def test_quantile_is_exceeded_as_often_as_asked():
    noise = np.random.RandomState(1).randn(400)
    flat = [np.zeros((3, 1))] * 400
    settings = dict(max_iter=150, batch_size=400)
    regressor = estimator("RNN", "Regressor", loss="quantile", quantile=0.8, **settings)
    share = np.mean(regressor.fit(flat, noise).predict(flat) > noise)
    assert share == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("max_iter", [1, 5])
@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "clip_norm": None}], ids=str)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_rate_that_is_too_large_leaves_finite_predictions_and_warns(options, max_iter, dtype):
    typed = [x.astype(dtype) for x in X]
    regressor = estimator(
        "LSTM", "Regressor", learning_rate_init=1e200, max_iter=max_iter, **options
    )
    with pytest.warns(ConvergenceWarning, match="no epoch of this call ended with finite"):
        regressor.fit(typed, Y)
    assert np.isfinite(regressor.predict(typed)).all()


def test_huber_delta_matters():
    wild = np.where(np.arange(len(X)) % 10, Y, 100.0)
    small, large = (
        estimator("GRU", "Regressor", loss="huber", huber_delta=delta, max_iter=80).fit(X, wild)
        for delta in (0.1, 1000.0)
    )
    calm = wild != 100
    assert small.score([x for x, c in zip(X, calm) if c], Y[calm]) > large.score(
        [x for x, c in zip(X, calm) if c], Y[calm]
    )


def test_poisson_predicts_positive_means():
    regressor = estimator("LSTM", "Regressor", loss="poisson", max_iter=80).fit(X, COUNTS)
    assert np.all(regressor.predict(X) > 0)
    assert regressor.score(X, COUNTS) > 0.5
    with pytest.raises(ValueError, match="at least 0"):
        regressor.fit(X, Y)


def test_several_outputs():
    y = np.stack([Y, 2 * Y + 100, -Y], axis=1)
    regressor = estimator("GRU", "Regressor", max_iter=80).fit(X, y)
    assert regressor.predict(X).shape == (len(X), 3)
    assert regressor.n_outputs_ == 3
    assert regressor.score(X, y) > 0.8
    with pytest.raises(ValueError, match="expected 3"):
        regressor.score(X, y[:, :2])


def test_starts_from_the_mean():
    far = Y + 1e4
    regressor = estimator("GRU", "Regressor", max_iter=80).fit(X, far)
    assert regressor.score(X, far) > 0.8


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_output_has_the_dtype_of_x(dtype):
    typed = [x.astype(dtype) for x in X]
    assert estimator("GRU", "Regressor", max_iter=2).fit(typed, Y).predict(typed).dtype == dtype


def test_wrong_y_is_refused():
    regressor = estimator("GRU", "Regressor", max_iter=2)
    for value, what in ((np.nan, "NaN"), (np.inf, "infinity")):
        with pytest.raises(ValueError, match=f"Input y contains {what}"):
            regressor.fit(X, np.where(np.arange(len(X)) == 3, value, Y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor.fit(X, Y[:-1])
    with pytest.warns(DataConversionWarning):
        regressor.fit(X, Y[:, None])
    with pytest.raises(ValueError, match=r"loss.*huber"):
        estimator("GRU", "Regressor", loss="hinge").fit(X, Y)


def test_early_stopping_uses_r2():
    regressor = estimator("GRU", "Regressor", early_stopping=True, validation_fraction=0.2)
    regressor.fit(X, Y)
    assert regressor.best_validation_score_ == max(regressor.validation_scores_) <= 1


def test_sample_weight_equals_repetition():
    weights = np.random.RandomState(0).randint(0, 3, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weights)
    settings = dict(max_iter=5, batch_size=300)
    weighted = estimator("LSTM", "Regressor", **settings).fit(X, Y, sample_weight=weights)
    plain = estimator("LSTM", "Regressor", **settings).fit([X[i] for i in repeated], Y[repeated])
    assert_close(weighted.predict(X), plain.predict(X), np.float64, 5 * len(repeated))


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("task", ["Regressor", "SequenceRegressor"])
def test_counts_are_learnt_after_a_first_part_without_any(task, several):
    rng = np.random.RandomState(0)
    shape = (40,) if task == "Regressor" else (40, 5)
    y = rng.poisson(3.0, (*shape, 2) if several else shape)
    X, zeros = rng.randn(40, 5, 1), np.zeros_like(y)
    model = estimator("GRU", task, loss="poisson", learning_rate="constant")
    model.partial_fit(X, zeros, sample_weight=np.full(40, 1 / 40))
    assert model.predict(X).max() < 0.1
    for _ in range(150):
        model.partial_fit(X, y)
    assert 2.5 < model.predict(X).mean() < 3.5
