"""The part set aside for validation holds every class in its share."""

import warnings

import numpy as np
import pytest
from estimators.problems import estimator

from rnnkit.estimators import base, fitting


@pytest.mark.parametrize("seed", range(5))
def test_the_validation_part_is_stratified(monkeypatch, seed):
    parts = []

    def noted(*args):
        parts.extend(fitting.set_aside(*args))
        return parts[-2:]

    monkeypatch.setattr(base, "set_aside", noted)
    X = np.random.RandomState(seed).randn(200, 4, 2)
    y = np.repeat(["a", "b", "c"], [160, 30, 10])
    classifier = estimator(
        "GRU", "Classifier", early_stopping=True, validation_fraction=0.3, max_iter=1,
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier.fit(X, y)
    training, validation = parts
    assert np.bincount(validation.targets).tolist() == [48, 9, 3]
    assert np.bincount(training.targets).tolist() == [112, 21, 7]


def test_a_class_of_one_sequence_is_set_aside_without_shares():
    X = np.random.RandomState(0).randn(30, 4, 2)
    y = np.repeat(["a", "b", "c"], [20, 9, 1])
    classifier = estimator("GRU", "Classifier", early_stopping=True, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert classifier.fit(X, y).classes_.tolist() == ["a", "b", "c"]
