"""Outputs for labels: where they start, how classes are weighed, smoothing."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
from tolerances import assert_close

from rnnkit.network import Bernoulli, SoftmaxCrossEntropy


def test_balanced_weights_have_the_bits_of_scikit_learn():
    rng = np.random.RandomState(0)
    output = SoftmaxCrossEntropy(9)
    for n in (1, 7, 50, 333):
        targets = rng.randint(7, size=n)  # classes without a target are among the nine
        present = np.unique(targets)
        expected = np.ones(9)
        expected[present] = compute_class_weight("balanced", classes=present, y=targets)
        weights = output.class_weights(targets, "balanced")
        np.testing.assert_array_equal(weights, expected[targets])


def test_given_weights_are_by_class_index():
    output = SoftmaxCrossEntropy(3)
    weights = output.class_weights(np.array([2, 0, 2, 1]), [0.5, 1.0, 4.0])
    np.testing.assert_array_equal(weights, [4.0, 0.5, 4.0, 1.0])
    assert output.class_weights(np.array([2, 0]), None) is None
    with pytest.raises(ValueError, match=r"weight for each of 3 classes, got shape \(2,\)"):
        output.class_weights(np.array([0, 1]), np.ones(2))
    with pytest.raises(ValueError, match=r"class_weight must be None, 'balanced' .* got 'even'"):
        output.class_weights(np.array([0, 1]), "even")


def test_smoothing_keeps_the_classes():
    assert SoftmaxCrossEntropy(4).with_smoothing(0.2) == SoftmaxCrossEntropy(4, 0.2)
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\), got 1"):
        SoftmaxCrossEntropy(4).with_smoothing(1.0)


def test_yes_or_no_labels_start_at_their_smoothed_odds():
    indicators = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    odds = np.array([3.5 / 0.5, 1.5 / 2.5])
    assert_close(Bernoulli(2).start(indicators), np.log(odds), np.float64, 4)
    repeated = np.repeat(indicators, [1, 4, 2], axis=0)
    assert_close(
        Bernoulli(2).start(indicators, np.array([1.0, 4.0, 2.0])),
        Bernoulli(2).start(repeated),
        np.float64,
        8,
    )
