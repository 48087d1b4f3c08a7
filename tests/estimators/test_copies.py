"""Copies of a fitted estimator predict the same bits, in this process and in others."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from estimators.problems import CELLS, estimator, labels_of, ragged
from sklearn.base import clone

from rnnkit.training import Adam

X = ragged(60)
Y = labels_of(X)


@pytest.fixture(scope="module", params=CELLS)
def fitted(request):
    return estimator(request.param, "Classifier", bidirectional=True, max_iter=3).fit(X, Y)


def test_copies_predict_the_same_bits(fitted, tmp_path):
    expected = fitted.predict_proba(X)
    joblib.dump(fitted, tmp_path / "model")
    copies = [
        copy.deepcopy(fitted),
        clone(fitted).fit(X, Y),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),
        *(pickle.loads(pickle.dumps(fitted, protocol)) for protocol in range(2, 6)),
    ]
    for other in copies:
        np.testing.assert_array_equal(other.predict_proba(X), expected)


def test_a_copy_shares_no_memory(fitted):
    other = copy.deepcopy(fitted)
    expected = fitted.predict_proba(X)
    other.weights_["head.bias"][:] = [0, 50]
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert other.predict(X).tolist() == ["up"] * len(X)


def test_another_process_predicts_the_same_bits(fitted):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.apply(fitted.predict_proba, (X,))
    np.testing.assert_array_equal(got, fitted.predict_proba(X))


def test_threads_share_one_estimator(fitted):
    expected = fitted.predict_proba(X)
    with ThreadPoolExecutor(8) as threads:
        for got in threads.map(lambda _: fitted.predict_proba(X), range(32)):
            np.testing.assert_array_equal(got, expected)


def test_threads_fit_estimators_of_their_own():
    def fit(seed):
        return estimator("GRU", "Classifier", max_iter=5, random_state=seed).fit(X, Y).loss_

    expected = [fit(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(fit, range(8))) == expected


def test_partial_fit_goes_on_after_a_copy():
    first = estimator("GRU", "Classifier").partial_fit(X, Y, classes=["down", "up"])
    other = pickle.loads(pickle.dumps(first)).partial_fit(X, Y)
    assert len(other.loss_curve_) == 2
    assert len(first.loss_curve_) == 1


def test_pickle_of_another_version_warns(monkeypatch, fitted):
    monkeypatch.setattr("rnnkit.estimators.fitted._installed_version", lambda: "0.0.1")
    pickled = pickle.dumps(fitted)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"pickled with rnnkit 0\.0\.1"):
        pickle.loads(pickled)


def test_parameters_of_a_solver_are_reached():
    classifier = estimator("GRU", "Classifier", solver=Adam(beta_1=0.8))
    assert classifier.get_params()["solver__beta_1"] == 0.8
    other = clone(classifier).set_params(solver__beta_1=0.7)
    assert classifier.solver.beta_1 == 0.8
    assert other.solver.beta_1 == 0.7
    assert repr(other.solver) in repr(other)
