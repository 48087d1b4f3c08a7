"""What every output object says about itself: its start, its valid targets, what it refuses."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import (
    CRF,
    CTC,
    AbsoluteError,
    Bernoulli,
    HuberLoss,
    PoissonLoss,
    QuantileLoss,
    SoftmaxCrossEntropy,
    SquaredError,
)
from rnnkit.network.outputs import OutputContext


def objects(*arrays):
    given = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        given[i] = np.asarray(array, np.intp)
    return given


VALID = {
    SoftmaxCrossEntropy(3): np.array([0, 2, 2]),
    Bernoulli(2): np.array([[0.0, 1.0], [1.0, 1.0]]),
    CRF(3): np.array([2, 1, 0]),
    CTC(3): objects([0, 2], [], [1]),
    SquaredError(1): np.array([[-1.0], [2.0]]),
    AbsoluteError(1): np.array([[-1.0], [2.0]]),
    HuberLoss(1): np.array([[-1.0], [2.0]]),
    QuantileLoss(1): np.array([[-1.0], [2.0]]),
    PoissonLoss(1): np.array([[0.0], [2.5]]),
}
name_of = lambda value: type(value).__name__


@pytest.mark.parametrize("output", VALID, ids=name_of)
def test_valid_targets_pass_and_a_start_has_a_score_for_each_column(output):
    targets = VALID[output]
    output.check(targets)
    for weights in (None, np.ones(len(targets))):
        start = output.start(targets, weights)
        assert start.shape == (output.width,)
        assert start.dtype == np.float64


@pytest.mark.parametrize("output", [SoftmaxCrossEntropy(3), CRF(3), CTC(3)], ids=name_of)
def test_scores_of_classes_start_at_zero(output):
    np.testing.assert_array_equal(output.start(VALID[output]), np.zeros(output.width))


@pytest.mark.parametrize(
    "output, targets, message",
    [
        (SoftmaxCrossEntropy(3), np.array([0, 3]), "class indices from 0 to 2, got 3"),
        (SoftmaxCrossEntropy(3), np.array([0, -1]), "class indices from 0 to 2, got -1"),
        (SoftmaxCrossEntropy(3), np.array([0.0, 1.0]), "one class index .* dtype float64"),
        (SoftmaxCrossEntropy(3), np.array([[0, 1]]), r"one class index .* shape \(1, 2\)"),
        (CRF(2), np.array([0, 2]), "output='crf' needs class indices from 0 to 1, got 2"),
        (CTC(2), objects([0], [1, 2]), "a sequence labeller needs class indices .* got 2"),
        (
            Bernoulli(2),
            np.array([[0.0, 0.5]]),
            "several labels at once needs y of 0 and 1, got 0.5",
        ),
        (Bernoulli(2), np.array([[0.0]]), r"needs y of shape \(n, 2\), got \(1, 1\)"),
        (PoissonLoss(1), np.array([[1.0], [-2.0]]), "loss='poisson' needs y of at least 0, got -2"),
        (SquaredError(2), np.array([1.0]), r"loss='squared' needs y of shape \(n, 2\), got \(1,\)"),
        (HuberLoss(1), np.array([[np.inf]]), "loss='huber' needs y of finite numbers, got inf"),
        (QuantileLoss(1), np.array([[np.nan]]), "loss='quantile' needs y of finite numbers"),
        (AbsoluteError(1), np.array([[-np.inf]]), "loss='absolute' needs y of finite numbers"),
    ],
)
def test_targets_that_are_none_get_one_clear_sentence(output, targets, message):
    with pytest.raises(ValueError, match=message) as caught:
        output.check(targets)
    assert "\n" not in str(caught.value)


def test_labels_that_do_not_fit_into_their_sequence_are_named():
    CTC(3).check(objects([0, 1], [2]), np.array([2, 1]))
    with pytest.raises(ValueError, match="sequence 0 has 2 steps but its 2 labels need at least 3"):
        CTC(3).check(objects([1, 1], [2]), np.array([2, 1]))


WITHOUT_CLASSES = [
    output for output in VALID if not isinstance(output, (SoftmaxCrossEntropy, Bernoulli))
]


@pytest.mark.parametrize("output", WITHOUT_CLASSES, ids=name_of)
def test_what_an_output_has_no_rule_for_is_refused_by_name(output):
    assert output.class_weights(VALID[output], None) is None
    with pytest.raises(ValueError, match=f"{output.spoken_name} takes no class_weight, got 'bal"):
        output.class_weights(VALID[output], "balanced")
    assert output.with_smoothing(0.0) is output
    with pytest.raises(
        ValueError, match=rf"{output.spoken_name} takes no label_smoothing, got 0\.1"
    ):
        output.with_smoothing(0.1)


def test_answers_of_several_labels_are_smoothed_and_weighed():
    scores, y = np.array([[0.3, -1.2], [2.0, 0.1]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    context = OutputContext(get_backend("reference"), None)
    output = Bernoulli(2).with_smoothing(0.2).weighed(np.array([1.0, 3.0]), y)
    assert output.answer_weights == ((1.0, 3.0), (1.0, 3.0))
    loss, slopes = output.loss(scores, y, None, context)
    t = 0.8 * y + 0.1
    weights = np.where(y > 0, 3.0, 1.0)
    p = 1 / (1 + np.exp(-scores))
    by_hand = -weights * (t * np.log(p) + (1 - t) * np.log(1 - p))
    assert_close(loss, by_hand.sum(), np.float64, 8)
    assert_close(slopes, weights * (p - t), np.float64, 8)
    balanced = Bernoulli(2).weighed("balanced", y).answer_weights
    assert balanced == ((1.0, 0.5), (1.0, 1.0))
