"""The transformer that gives pooled hidden states."""

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, labels_of, ragged
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from tolerances import assert_close

from rnnkit import GRUSeriesGenerator, RecurrentFeatures

X = ragged(30)
Y = labels_of(X)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_pools_the_hidden_states(cell, bidirectional):
    classifier = estimator(cell, "Classifier", bidirectional=bidirectional, n_layers=2, max_iter=2)
    classifier.fit(X, Y)
    for layer in (0, -1):
        states = classifier.hidden_states(X, layer=layer)
        expected = {
            "last": [np.append(s[-1, :8], s[0, 8:]) for s in states],
            "mean": [s.mean(axis=0) for s in states],
            "max": [s.max(axis=0) for s in states],
        }
        for pooling, values in expected.items():
            features = RecurrentFeatures(
                FrozenEstimator(classifier), pooling=pooling, layer=layer
            ).fit(X)
            assert_close(features.transform(X), values, np.float64, 8)  # steps at most


def test_fits_a_clone():
    classifier = estimator("GRU", "Classifier", max_iter=3)
    features = RecurrentFeatures(classifier).fit(X, Y)
    assert not hasattr(classifier, "network_")
    expected = classifier.fit(X, Y).hidden_states(X)
    np.testing.assert_array_equal(features.transform(X), [s[-1] for s in expected])
    assert features.n_features_in_ == 2


def test_set_output():
    features = RecurrentFeatures(estimator("GRU", "Classifier", max_iter=2)).fit(X, Y)
    frame = features.set_output(transform="pandas").transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [f"recurrentfeatures{i}" for i in range(8)]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="pooling must be one of 'last'"):
        RecurrentFeatures(estimator("GRU", "Classifier"), pooling="min").fit(X, Y)


@pytest.mark.parametrize(
    "given",
    [
        {"layer": 3},
        {"layer": -2},
        {"layer": "last"},
        {"layer": True},
        {"estimator__hidden_size": ()},
        {"pooling": "min"},
    ],
    ids=str,
)
def test_features_stay_as_they_were_where_there_is_no_such_layer(given):
    features = RecurrentFeatures(estimator("GRU", "Classifier", max_iter=2)).fit(X, Y)
    before = features.transform(X)
    features.set_params(**given)
    for call in (features.fit, features.fit_transform):
        with pytest.raises((ValueError, TypeError), match=r"layer|pooling"):
            call(X, Y)
    np.testing.assert_array_equal(features.transform(X), before)


@pytest.mark.parametrize("given", [GRUSeriesGenerator(4), LogisticRegression(), "GRU"])
def test_what_has_no_hidden_states_is_refused_before_it_is_fitted(given):
    name = type(given).__name__
    features = RecurrentFeatures(given)
    with pytest.raises(ValueError, match=f"has hidden_states, got {name}, which has none"):
        features.fit(X, Y)
    assert not hasattr(features, "estimator_")


def test_names_of_features_are_those_of_the_estimator():
    frames = [pd.DataFrame(x, columns=["u", "v"]) for x in X]
    features = RecurrentFeatures(estimator("GRU", "Classifier", max_iter=2))
    assert not hasattr(features, "feature_names_in_")
    assert features.fit(frames, Y).feature_names_in_.tolist() == ["u", "v"]
    assert not hasattr(features.fit(X, Y), "feature_names_in_")
